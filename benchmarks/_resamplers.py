"""What resampling is compared with: each peer as its users call it, from array to array."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.geometry import Grid, itk_geometry, resample_to_grid

Array = npt.NDArray[Any]
Call = Callable[[], Array]


@dataclass(frozen=True)
class Case:
    """One kind of resampling of one array from a grid to another."""

    name: str
    array: Array
    grid: Grid
    target: Grid
    threads: int

    def ours(self, interpolation: Any, **how: Any) -> Call:
        return lambda: resample_to_grid(
            self.array, self.grid, self.target, interpolation, threads=self.threads, **how
        )

    def simpleitk(self, name: str, smooth: bool = True) -> Call:
        """The bare calls: in, resample, out."""
        import SimpleITK

        placed, wanted = itk_geometry(self.grid), itk_geometry(self.target)
        kind = SimpleITK.sitkFloat32 if smooth else SimpleITK.sitkUInt8
        way = (wanted.origin, wanted.spacing, wanted.direction, 0.0, kind)

        def call() -> Array:
            SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(self.threads)
            image = SimpleITK.GetImageFromArray(self.array)
            image.SetOrigin(placed.origin)
            image.SetSpacing(placed.spacing)
            image.SetDirection(placed.direction)
            rule = getattr(SimpleITK, name)
            moved = SimpleITK.Resample(image, wanted.size, SimpleITK.Transform(), rule, *way)
            return np.asarray(SimpleITK.GetArrayFromImage(moved))

        return call

    def skimage(self, order: int) -> Call:
        """As nnU-Net's default calls it for images."""
        from skimage.transform import resize

        shape = self.target.shape
        how = {"mode": "edge", "clip": True, "anti_aliasing": False}
        return lambda: resize(self.array.astype(np.float32), shape, order, **how)

    def skimage_labels(self) -> Call:
        """As nnU-Net's default calls it for label maps: each label on its own, one half or more."""
        from skimage.transform import resize

        how = {"mode": "edge", "clip": True, "anti_aliasing": False}

        def call() -> Array:
            found = np.zeros(self.target.shape, self.array.dtype)
            for label in np.unique(self.array):
                share = resize((self.array == label).astype(float), self.target.shape, 1, **how)
                found[share >= 0.5] = label
            return found

        return call

    def nnunet(self, is_seg: bool, order: int, slices: bool | None) -> Call:
        """nnU-Net itself; ``slices``: apart, the nearest through the plane (None: as planned).

        Its plans look at the spacings, and take slices apart where they are thick.
        """
        name = "nnunetv2.preprocessing.resampling.default_resampling"
        resample = importlib.import_module(name).resample_data_or_seg_to_shape
        spacings = self.grid.spacing_mm, self.target.spacing_mm
        data = self.array[None].astype(np.float32)
        how = {"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": slices}
        return lambda: np.asarray(resample(data, self.target.shape, *spacings, **how)[0])

    def zoom(self, order: int) -> Call:
        from scipy.ndimage import zoom

        factors = np.array(self.target.shape) / self.array.shape
        kind = self.array.dtype if order == 0 else np.float32
        how = {"mode": "nearest", "grid_mode": True}
        return lambda: np.asarray(zoom(self.array.astype(kind), factors, order=order, **how))

    def torch(self) -> Call:
        import torch

        shape = self.target.shape

        def call() -> Array:
            torch.set_num_threads(self.threads)
            given = torch.from_numpy(self.array)[None, None].float()
            moved = torch.nn.functional.interpolate(given, shape, mode="trilinear")
            return np.asarray(moved[0, 0].numpy())

        return call

    def torch_labels(self) -> Call:
        """One channel for each label, and the largest."""
        import torch

        shape, classes = self.target.shape, int(self.array.max()) + 1

        def call() -> Array:
            torch.set_num_threads(self.threads)
            given = torch.from_numpy(self.array).long()
            hot = torch.nn.functional.one_hot(given, classes).permute(3, 0, 1, 2)[None].float()
            moved = torch.nn.functional.interpolate(hot, shape, mode="trilinear")
            return np.asarray(moved[0].argmax(0).to(torch.uint8).numpy())

        return call


def installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def linear(case: Case) -> dict[str, Call]:
    calls = {
        "ours": case.ours("linear"),
        "ours, antialias": case.ours("linear", antialias=True),
        "SimpleITK": case.simpleitk("sitkLinear"),
        "torch interpolate": case.torch(),
        "SciPy zoom": case.zoom(1),
    }
    if installed("skimage"):
        calls["skimage, as nnU-Net calls it"] = case.skimage(1)
    return calls


def cubic(case: Case) -> dict[str, Call]:
    calls = {
        "ours": case.ours("bspline"),
        "ours, nearest slice": case.ours("bspline", nearest_along=0),
        "SimpleITK": case.simpleitk("sitkBSpline"),
        "SciPy zoom": case.zoom(3),
    }
    if installed("skimage"):
        calls["skimage, as nnU-Net calls it"] = case.skimage(3)
    if installed("nnunetv2"):
        calls["nnU-Net, as its plans do"] = case.nnunet(False, 3, None)
        calls["nnU-Net, no slices apart"] = case.nnunet(False, 3, False)
    return calls


def labels(case: Case) -> dict[str, Call]:
    calls = {
        "ours": case.ours("labels"),
        "ours, nearest slice": case.ours("labels", nearest_along=0),
        "SimpleITK": case.simpleitk("sitkLabelLinear", smooth=False),
        "torch, one channel a label": case.torch_labels(),
    }
    if installed("skimage"):
        calls["skimage, as nnU-Net calls it"] = case.skimage_labels()
    if installed("nnunetv2"):
        calls["nnU-Net, as its plans do"] = case.nnunet(True, 1, None)
        calls["nnU-Net, no slices apart"] = case.nnunet(True, 1, False)
    return calls


def nearest(case: Case) -> dict[str, Call]:
    return {
        "ours": case.ours("nearest"),
        "SimpleITK": case.simpleitk("sitkNearestNeighbor", smooth=False),
        "SciPy zoom": case.zoom(0),
    }


def oblique(case: Case) -> dict[str, Call]:
    return {"ours": case.ours("linear"), "SimpleITK": case.simpleitk("sitkLinear")}
