// Package camera takes one fresh JPEG picture whenever it is asked to.
//
// A [Camera] opens a video device of a board, lets the exposure settle, takes
// the first whole frame that is younger than the request, and makes a JPEG of it:
// Motion-JPEG is passed through and completed, raw formats are encoded (see package
// camera/mjpeg). Between pictures the device is closed, so that its light is off,
// other programs can have it, and a camera that was unplugged is found again.
//
//	cam := camera.New(board, "/dev/video0", &camera.Opts{Size: image.Pt(1280, 720)}, log)
//	defer cam.Close()
//	picture, err := cam.Capture(ctx)
//
// Package camera/store keeps pictures and gives them an address.
package camera
