from pydicom.dataset import Dataset

from monai_sr.io.dicom_grid import scale_shutters


def test_edges_enclose_the_same_pixels():
    image = Dataset()
    image.ShutterLeftVerticalEdge, image.ShutterRightVerticalEdge = 3, 10
    image.CollimatorUpperHorizontalEdge, image.CollimatorLowerHorizontalEdge = 1, 12
    scale_shutters(image, 4)
    assert (image.ShutterLeftVerticalEdge, image.ShutterRightVerticalEdge) == (9, 40)
    assert (image.CollimatorUpperHorizontalEdge, image.CollimatorLowerHorizontalEdge) == (1, 48)


def test_points_move_to_the_centre_of_their_finer_pixels():
    image = Dataset()
    image.CenterOfCircularShutter, image.RadiusOfCircularShutter = [5, 7], 4
    image.VerticesOfThePolygonalCollimator = [1, 1, 1, 9, 8, 5]
    scale_shutters(image, 3)
    assert image.CenterOfCircularShutter == [14, 20]
    assert image.RadiusOfCircularShutter == 12
    assert image.VerticesOfThePolygonalCollimator == [2, 2, 2, 26, 23, 14]


def test_images_without_shutters_stay_without():
    image = Dataset()
    scale_shutters(image, 2)
    assert len(image) == 0
