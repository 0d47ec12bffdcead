package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pithings/display"
)

func newShow() *cobra.Command {
	var (
		o        partOptions
		device   string
		fit      string
		rotate   int
		duration time.Duration
		png      string
	)
	c := &cobra.Command{
		Use:   "show FILE|URL",
		Short: "Show a picture on the screen for a while",
		Long: `show draws a JPEG, PNG, GIF or WebP picture on the framebuffer, keeps it there for
ten seconds (--for), and gives the screen back to the console.`,
		Example: `  pithings show picture.jpg
  pithings show https://example.com/picture.png --for 1m --fit cover
  pithings show picture.jpg --mock --png seen.png`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			log := o.log(c.ErrOrStderr())
			opts := display.DefaultOpts()
			opts.ClearAfter, opts.Rotate = 0, rotate
			var err error
			if opts.Fit, err = display.ParseFit(fit); err != nil {
				return usageError{err}
			}
			if err := opts.Validate(); err != nil {
				return usageError{err}
			}
			// A file that the user names, the user may see.
			uri := strings.TrimPrefix(args[0], "file://")
			if !strings.Contains(uri, "://") && !strings.HasPrefix(uri, "data:") {
				var folder string
				if uri, folder, err = fileURI(uri); err != nil {
					return err
				}
				opts.Fetch.AllowFolders = []string{folder}
			}
			board, closeBoard, err := openBoard(o.mock, log)
			if err != nil {
				return err
			}
			defer closeBoard()
			screen := display.New(board, device, opts, log)
			defer screen.Close()
			began := time.Now()
			if err := screen.Show(c.Context(), uri); err != nil {
				return err
			}
			took := time.Since(began)
			if png != "" {
				if err := savePNG(screen, png); err != nil {
					return err
				}
			}
			if o.json {
				err = json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"shown": args[0], "device": device, "seconds": took.Seconds()})
			} else {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s: shown on %s after %v\n", args[0], device, took.Round(time.Millisecond))
			}
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), duration)
			defer cancel()
			<-ctx.Done()
			return nil
		},
	}
	f := c.Flags()
	o.add(f)
	f.StringVarP(&device, "device", "d", "/dev/fb0", "framebuffer")
	f.StringVar(&fit, "fit", "contain", "contain: whole picture with bars; cover: whole screen, picture cut")
	f.IntVar(&rotate, "rotate", 0, "degrees clockwise: 0, 90, 180 or 270")
	f.DurationVar(&duration, "for", 10*time.Second, "how long the picture stays")
	f.StringVar(&png, "png", "", "also save what the screen shows into this PNG file")
	return c
}

// fileURI returns the file: URI of a path, and its folder, which has to be
// allowed.
func fileURI(path string) (uri, folder string, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", "", err
	}
	if _, err := os.Stat(abs); err != nil {
		return "", "", err
	}
	slashed := filepath.ToSlash(abs)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/… on Windows
	}
	return (&url.URL{Scheme: "file", Path: slashed}).String(), filepath.Dir(abs), nil
}

func savePNG(s *display.Screen, name string) error {
	b, err := s.PNG()
	if err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o644)
}
