package display_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"pithings/display"
	"pithings/hw/mock"
)

func Example() {
	board := mock.New(mock.Options{})
	opts := display.DefaultOpts()
	opts.ClearAfter = time.Minute
	screen := display.New(board, "/dev/fb0", opts, slog.New(slog.DiscardHandler))
	defer screen.Close()

	ctx := context.Background()
	const green = "data:image/gif;base64,R0lGODlhAQABAIAAAAD/AAAAACwAAAAAAQABAAACAkQBADs="
	if err := screen.Show(ctx, green); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("in the middle:", board.Framebuffer("/dev/fb0").Image().RGBAAt(400, 240))

	fmt.Println(screen.Show(ctx, "http://169.254.169.254/latest/meta-data/"))
	// Output:
	// in the middle: {0 255 0 255}
	// fetch "http://169.254.169.254/latest/meta-data/": dial tcp 169.254.169.254:80: address refused: 169.254.169.254 is a link-local address
}
