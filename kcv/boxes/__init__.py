"""Boxes, the ground of every detector: formats, overlap, anchors, matching and NMS.

A box is (x1, y1, x2, y2) in continuous pixels, and any other form is in the name. The
truth of an image stands in a fixed number of slots; an empty one has class -1 and box
0, and an image may have nothing but empty ones.
"""
