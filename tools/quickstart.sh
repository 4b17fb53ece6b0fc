#!/usr/bin/env bash
# Real handwritten digits -> MobileNetV1 -> proven float32 and int8 .tflite files -> an
# answer from the file, in one command. Safe to run again: what is done is not repeated.
#
#   bash tools/quickstart.sh [RUN_DIR [FLAGS of train_classifier...]]
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
run=${1:-runs/quickstart}
shift $(($# > 0))
budget=${BUDGET:-0.005} # of accuracy, that a file may lose against Keras
python=.venv/bin/python

$python -m kcv.tools.train_classifier --output_dir="$run" \
  --flagfile=tools/recipes/mobilenet_v1_025_digits.flags "$@"
$python -m kcv.tools.measure --run_dir="$run" --budget="$budget"
$python -m kcv.tools.predict --model="$run/int8.tflite" --output_dir="$run/answers" \
  docs/pictures/digit_3.png docs/pictures/digit_7.png

cat <<END

Trained model, curves and mistakes: $run (samples.png, curves.png, confusion.png)
Pictures with the int8 file's answers: $run/answers.png, $run/answers
Your own picture of a digit, white on black:

  $python -m kcv.tools.predict --model=$run/int8.tflite YOUR_IMAGE.png
END
