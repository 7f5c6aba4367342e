"""Train a network.

python train.py --data photos/ --epochs 10
python train.py --data imagenette:~/data --network fusion --objective regression --features inception_resnet_v2
python train.py --resume runs/mine
accelerate launch train.py --data photos/ --epochs 10        # several GPUs or machines
"""

import sys

from colorizer.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
