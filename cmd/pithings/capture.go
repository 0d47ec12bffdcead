package main

import (
	"encoding/json"
	"fmt"
	"image"
	"os"

	"github.com/spf13/cobra"

	"pithings/agent/config"
	"pithings/camera"
)

func newCapture() *cobra.Command {
	var (
		o      partOptions
		device string
		size   config.Size
	)
	c := &cobra.Command{
		Use:   "capture FILE",
		Short: "Take one picture into a JPEG file (- for standard output)",
		Example: `  pithings capture picture.jpg
  pithings capture picture.jpg --device /dev/video2 --size 640x480`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			log := o.log(c.ErrOrStderr())
			board, closeBoard, err := openBoard(o.mock, log)
			if err != nil {
				return err
			}
			defer closeBoard()
			cam := camera.New(board, device, &camera.Opts{Size: image.Pt(size.Width, size.Height)}, log)
			defer cam.Close()
			p, err := cam.Capture(c.Context())
			if err != nil {
				return err
			}
			if args[0] == "-" {
				_, err = c.OutOrStdout().Write(p.JPEG)
				return err
			}
			if err := os.WriteFile(args[0], p.JPEG, 0o644); err != nil {
				return err
			}
			if o.json {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"file": args[0], "bytes": len(p.JPEG),
					"width": p.Size.X, "height": p.Size.Y, "taken": p.Taken.UTC()})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %dx%d, %d bytes\n", args[0], p.Size.X, p.Size.Y, len(p.JPEG))
			return err
		},
	}
	f := c.Flags()
	o.add(f)
	f.StringVarP(&device, "device", "d", "/dev/video0", "video device")
	f.TextVar(&size, "size", config.Size{Width: 1280, Height: 720}, "picture size; the nearest that the camera offers is used")
	return c
}
