package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"pithings/camera"
	"pithings/conf"
	"pithings/hw"
	"pithings/things"
)

func newCapture() *cobra.Command {
	var (
		o      partOptions
		device string
		size   conf.Size
		format = formatFlag{"auto", 0}
	)
	c := &cobra.Command{
		Use:        "capture [FILE]",
		SuggestFor: []string{"snapshot", "screenshot", "photo", "picture", "snap"},
		Short:      "Take one picture into a JPEG file (- for standard output)",
		Long: `capture takes one picture with the camera. Without FILE it goes into a new file in
this folder, named by the time: picture-20060102-150405.jpg.`,
		Example: `  pithings capture
  pithings capture picture.jpg
  pithings capture picture.jpg --device /dev/video2 --size 640x480`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := takePicture(c, &o, device, &camera.Opts{Size: image.Pt(size.Width, size.Height), Pixel: format.pixel})
			if err != nil {
				return err
			}
			if len(args) == 1 && args[0] == "-" {
				_, err = c.OutOrStdout().Write(p.JPEG)
				return err
			}
			name, err := savePicture(args, p.JPEG, p.Taken)
			if err != nil {
				return err
			}
			if o.json {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"file": name, "bytes": len(p.JPEG),
					"width": p.Size.X, "height": p.Size.Y, "taken": p.Taken.UTC()})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %dx%d, %d bytes\n", name, p.Size.X, p.Size.Y, len(p.JPEG))
			return err
		},
	}
	f := c.Flags()
	o.add(f)
	f.StringVarP(&device, "device", "d", "/dev/video0", "video device")
	f.TextVar(&size, "size", conf.Size{Width: 1280, Height: 720}, "picture size; the nearest that the camera offers is used")
	f.Var(&format, "format", "what the camera is asked for: "+formats)
	return c
}

// takePicture takes a picture: by the agent that has the camera, if one has.
func takePicture(c *cobra.Command, o *partOptions, device string, opts *camera.Opts) (p camera.Picture, err error) {
	denied := false
	if !o.mock {
		var answer struct {
			JPEG          []byte
			Width, Height int
			Taken         time.Time
		}
		thing, no, err := throughAgent(c, partRequest{what: "camera", part: device, did: "taken", action: things.ActionPicture, out: &answer,
			own: []string{"size", "format"}})
		if thing != "" || err != nil {
			return camera.Picture{JPEG: answer.JPEG, Size: image.Pt(answer.Width, answer.Height), Taken: answer.Taken}, err
		}
		denied = no
	}
	log := o.log(c.ErrOrStderr())
	board, closeBoard, err := openBoard(o.mock, log)
	if err != nil {
		return p, err
	}
	defer closeBoard()
	cam := camera.New(board, device, opts, log)
	defer cam.Close()
	p, err = cam.Capture(c.Context())
	return p, explainBusy(err, denied)
}

// savePicture writes a picture into the file that is named, or into a new one, and
// returns its name.
func savePicture(args []string, jpeg []byte, taken time.Time) (string, error) {
	if len(args) == 1 {
		return args[0], writePicture(args[0], jpeg)
	}
	name := taken.Local().Format("picture-20060102-150405.jpg")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", fmt.Errorf("%w; name a file: pithings capture FILE", err)
	}
	_, err = f.Write(jpeg)
	return name, errors.Join(err, f.Close())
}

// writePicture writes a picture over what the file held. On a full disk that stays as it
// was; a device or a pipe (/dev/stdout) is written to.
func writePicture(name string, jpeg []byte) error {
	switch info, err := os.Stat(name); {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", name)
	case err == nil && !info.Mode().IsRegular():
		return os.WriteFile(name, jpeg, 0o644)
	case err == nil: // a link stays a link
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".picture-*.jpg")
	if err != nil {
		return err
	}
	_, err = f.Write(jpeg)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// formats are the values of --format, as of format in a configuration.
const formats = "auto, mjpeg, yuyv, uyvy, yu12, nv12 or grey"

// formatFlag is the flag --format.
type formatFlag struct {
	name  string
	pixel hw.PixelFormat
}

// String implements pflag.Value.
func (f *formatFlag) String() string { return f.name }

// Type implements pflag.Value: the name of the value in the help.
func (f *formatFlag) Type() string { return "string" }

// Set implements pflag.Value.
func (f *formatFlag) Set(name string) error {
	pixel, ok := camera.ParseFormat(name)
	if !ok {
		return errors.New("use one of " + formats)
	}
	*f = formatFlag{name, pixel}
	return nil
}
