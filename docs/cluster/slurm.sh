#!/bin/bash
# Two workers that train one model synchronously: sbatch slurm.sh
#
# The current directory, in which the workdir is created, must be on a file
# system that all nodes share. tfvae-train must be in PATH: activate its
# environment first.
#SBATCH --job-name=tfvae
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120

port=$((20000 + SLURM_JOB_ID % 10000))  # Jobs can share a node.
workers=$(scontrol show hostnames "$SLURM_JOB_NODELIST" |
  sed "s/.*/\"&:$port\"/" | paste -sd,)
export workers

# Two minutes before the time limit; to the tasks, not to this shell.
trap 'scancel --signal=TERM "$SLURM_JOB_ID"' TERM

# Without the other worker, a worker would wait: end it too.
srun --kill-on-bad-exit=1 bash -c '
  export TF_CONFIG="{\"cluster\": {\"worker\": [$workers]},
    \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
  exec tfvae-train --flagfile=mnist.flags --strategy=multi_worker \
    --workdir=runs/mnist --data_dir=data' &
step=$!
wait "$step"
status=$?
while kill -0 "$step" 2>/dev/null; do  # The trap ended the wait, not the step.
  wait "$step"
  status=$?
done

# 75: a checkpoint was written after a signal; above 128: a process was killed.
if ((status == 75 || status > 128)) && ((${SLURM_RESTART_COUNT:-0} < 20)); then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
