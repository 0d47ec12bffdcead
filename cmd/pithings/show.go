package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pithings/display"
	"pithings/things"
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
		Use:        "show FILE|URL",
		SuggestFor: []string{"display", "view"},
		Short:      "Show a picture on the screen for a while",
		Long: `show draws a JPEG, PNG, GIF or WebP picture on the framebuffer, keeps it there for
ten seconds (--for), and gives the screen back to the console. If a running agent has
the screen, that shows it and clears it, by its own settings.`,
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
			// What the user of this machine names, the user may see: files, and pictures of
			// programs on it.
			opts.Fetch.Own = func(*url.URL) bool { return true }
			uri, file := strings.TrimPrefix(args[0], "file://"), ""
			if !strings.Contains(uri, "://") && !strings.HasPrefix(uri, "data:") {
				var folder string
				file = uri
				if uri, folder, err = fileURI(uri); err != nil {
					return err
				}
				opts.Fetch.AllowFolders = []string{folder}
			}
			began := time.Now()
			denied := false
			if !o.mock {
				var thing string
				if thing, denied, err = showThroughAgent(c, device, uri, file); err != nil {
					return err
				}
				if thing != "" {
					return o.shown(c.OutOrStdout(), args[0], device, time.Since(began))
				}
			}
			board, closeBoard, err := openBoard(o.mock, log)
			if err != nil {
				return err
			}
			defer closeBoard()
			screen := display.New(board, device, opts, log)
			defer screen.Close()
			if err := screen.Show(c.Context(), uri); err != nil {
				return explainBusy(err, denied)
			}
			took := time.Since(began)
			if png != "" {
				if err := savePNG(screen, png); err != nil {
					return err
				}
			}
			if err := o.shown(c.OutOrStdout(), args[0], device, took); err != nil {
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

// shown prints that a picture is shown.
func (o *partOptions) shown(w io.Writer, name, device string, took time.Duration) (err error) {
	if o.json {
		return json.NewEncoder(w).Encode(map[string]any{"shown": name, "device": device, "seconds": took.Seconds()})
	}
	_, err = fmt.Fprintf(w, "%s: shown on %s after %v\n", name, device, took.Round(time.Millisecond))
	return err
}

// showThroughAgent lets the agent that has the screen show a picture, if one has. A file
// need not be one that the agent's user may read: its bytes are handed over.
func showThroughAgent(c *cobra.Command, device, uri, file string) (thing string, denied bool, err error) {
	return throughAgent(c, partRequest{what: "screen", part: device, did: "shown", action: things.ActionDisplay,
		own: []string{"fit", "rotate", "for", "png"},
		input: func() (map[string]any, error) {
			var err error
			if file != "" {
				uri, err = dataURI(file)
			}
			return map[string]any{"imageUri": uri}, err
		}})
}

// handedMost bounds a picture file that is handed over, in bytes: a request may have
// 16 MiB, and base64 makes four bytes of three.
const handedMost = 11 << 20

// dataURI returns a file's bytes as a data: URI.
func dataURI(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, handedMost+1))
	if err == nil && len(b) > handedMost {
		err = fmt.Errorf("%s is larger than %d MiB, which is more than can be handed over to the agent: make it smaller", path, handedMost>>20)
	}
	return "data:;base64," + base64.StdEncoding.EncodeToString(b), err
}

// fileURI returns the file: URI of a path, and its folder, which has to be
// allowed.
func fileURI(path string) (uri, folder string, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", "", err
	}
	// A link's own folder says nothing about where the picture is.
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
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
