package camera_test

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"time"

	"pithings/camera"
	"pithings/hw/mock"
)

func ExampleCamera_Capture() {
	board := mock.New(mock.Options{Video: mock.VideoOptions{FrameInterval: time.Millisecond}})
	defer board.Close()

	cam := camera.New(board, "/dev/video0", &camera.Opts{Size: image.Pt(320, 240)}, slog.Default())
	defer cam.Close()
	picture, err := cam.Capture(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(picture.Size, cam.Stats().Format)
	// Output: (320,240) MJPG 320x240
}
