"""PyTorch data sets of (image, target, image id) for a training loop of one's own."""

from chestxpert.torch_data.chest_xray import ChestXrayDataset
from chestxpert.torch_data.multi_source import MultiSourceDataset
from chestxpert.torch_data.samples import Sample

__all__ = ["ChestXrayDataset", "MultiSourceDataset", "Sample"]
