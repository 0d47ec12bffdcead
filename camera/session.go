package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"time"

	"pithings/camera/mjpeg"
	"pithings/hw"
)

// maxLooked is how many frames are looked at for one picture before the device is
// dropped: a second's worth at least.
const maxLooked = 30

// The waits between attempts to open a device that has gone.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = time.Second
)

// errTimeout marks the end of Opts.Timeout.
var errTimeout = errors.New("time is over")

// errStalled marks a stream that sends nothing any more; starting it again may help.
var errStalled = errors.New("the stream stalled")

// A session is a device that is open and streams.
type session struct {
	video  hw.Video
	stream hw.Stream
	stale  int    // frames to throw away before the next picture
	buf    []byte // the last frame, when it is ours to use again
	last   int    // length of the last picture
}

// capture takes a picture from the session there is, or from a new one, and
// opens the device again when it goes away. The turn is ours.
func (c *Camera) capture(ctx context.Context) (Picture, error) {
	var gone error // why the device was opened again
	wait := firstWait
	for {
		err := c.start(ctx)
		if err == nil {
			var p Picture
			if p, err = c.picture(ctx); err == nil {
				return p, nil
			}
		}
		c.drop()
		if ctx.Err() != nil {
			return Picture{}, c.outOfTime(ctx, err, gone)
		}
		switch {
		case errors.Is(err, hw.ErrGone), errors.Is(err, errStalled):
			if gone == nil {
				c.log.Warn("camera was lost while a picture was taken; opening it again", "err", err)
			}
			gone = err
		case gone != nil && (errors.Is(err, hw.ErrNotFound) || errors.Is(err, hw.ErrBusy) || errors.Is(err, hw.ErrPermission)):
			// On its way back: the node comes first and its permissions later.
			gone = err
		default:
			return Picture{}, err
		}
		select {
		case <-ctx.Done():
			return Picture{}, c.outOfTime(ctx, err, gone)
		case <-time.After(wait):
		}
		wait = min(2*wait, lastWait)
		c.mu.Lock()
		c.stats.Reopens++
		c.mu.Unlock()
	}
}

// outOfTime explains an end of ctx. err is what was last seen, gone why the
// device had been opened again, if it had.
func (c *Camera) outOfTime(ctx context.Context, err, gone error) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errTimeout) && gone != nil && !errors.Is(gone, errStalled):
		return fmt.Errorf("it did not come back within %v: %w", c.opts.Timeout, gone)
	case errors.Is(cause, errTimeout), errors.Is(cause, context.DeadlineExceeded):
		var looked *spoiltError
		if errors.As(err, &looked) && looked.corrupt > 0 {
			return looked
		}
		limit := ""
		if errors.Is(cause, errTimeout) {
			limit = fmt.Sprintf(" within %v", c.opts.Timeout)
		}
		seen := ""
		if err != nil && !errors.Is(err, cause) && !errors.Is(err, ctx.Err()) && !errors.Is(err, errStalled) {
			seen = fmt.Sprintf(" (%v)", err)
		}
		return fmt.Errorf("%w%s%s: check the cable, stop other programs that use the camera, or choose a smaller size (several cameras may need more than one USB bus carries)", ErrNoFrame, limit, seen)
	}
	return fmt.Errorf("interrupted: %w", cause)
}

// start makes sure that there is a session.
func (c *Camera) start(ctx context.Context) error {
	if s := c.session; s != nil {
		// What waits in the buffers, or was being exposed when the picture was asked
		// for, is old.
		s.stale = s.stream.Buffers
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	v, err := c.board.OpenVideo(c.device)
	if err != nil {
		return err
	}
	stream, err := c.negotiate(v)
	if err != nil {
		v.Close()
		return err
	}
	c.session = &session{video: v, stream: stream, stale: c.opts.WarmUpFrames}
	size := image.Pt(stream.Width, stream.Height)
	if want := c.opts.Size; want != (image.Point{}) && want != size && c.said != size {
		c.said = size
		c.log.Warn("camera does not have the size wanted", "want", sizeString(want), "got", sizeString(size))
	}
	c.describe(stream.Pixel, size)
	return nil
}

// describe sets Stats.Format.
func (c *Camera) describe(p hw.PixelFormat, size image.Point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Format = p.String() + " " + sizeString(size)
}

func sizeString(p image.Point) string { return fmt.Sprintf("%dx%d", p.X, p.Y) }

// negotiate starts the stream in the best format that the driver agrees to.
func (c *Camera) negotiate(v hw.Video) (hw.Stream, error) {
	list, err := c.choices(v)
	if err != nil {
		return hw.Stream{}, err
	}
	for _, want := range list {
		var s hw.Stream
		if s, err = v.Start(want); err != nil {
			err = fmt.Errorf("cannot start %v as %v: %w", v, want.Pixel, err)
			if errors.Is(err, hw.ErrUnsupported) {
				continue // a format that is listed and not had
			}
			return hw.Stream{}, err
		}
		if err = usable(s); err == nil {
			return s, nil
		}
		err = fmt.Errorf("%v: %w", v, err)
		if stop := v.Stop(); stop != nil {
			return hw.Stream{}, stop
		}
	}
	return hw.Stream{}, err
}

// usable refuses a stream that no picture can be made of.
func usable(s hw.Stream) error {
	const maxSide = 16384
	least := s.Pixel.RowBytes(s.Width)
	switch {
	case !slices.Contains(understood[:], s.Pixel):
		return fmt.Errorf("%w: the driver chose pixel format %q", hw.ErrUnsupported, s.Pixel)
	case s.Width < 1 || s.Height < 1 || s.Width > maxSide || s.Height > maxSide:
		return fmt.Errorf("%w: the driver chose a size of %d x %d", hw.ErrUnsupported, s.Width, s.Height)
	case least > 0 && (s.Stride < least || s.Stride > 4*maxSide):
		return fmt.Errorf("%w: the driver chose rows of %d bytes for %d pixels", hw.ErrUnsupported, s.Stride, s.Width)
	}
	return nil
}

// spoiltError counts the frames that were looked at for one picture.
type spoiltError struct {
	corrupt, looked int
	last            error
}

func (e *spoiltError) Error() string {
	return fmt.Sprintf("%v: %d of %d, the last one because: %v; check the cable and the power supply, or choose a smaller size", ErrCorrupt, e.corrupt, e.looked, e.last)
}

func (e *spoiltError) Unwrap() []error { return []error{ErrCorrupt, e.last} }

// picture takes the first whole frame of the session that is not stale.
func (c *Camera) picture(ctx context.Context) (Picture, error) {
	s := c.session
	for ; s.stale > 0; s.stale-- {
		if err := c.next(ctx); err != nil {
			return Picture{}, err
		}
	}
	spoilt := &spoiltError{}
	for spoilt.looked < maxLooked {
		if err := c.next(ctx); err != nil {
			if spoilt.corrupt > 0 && ctx.Err() != nil {
				return Picture{}, spoilt
			}
			return Picture{}, err
		}
		taken := time.Now()
		spoilt.looked++
		data, size, err := c.develop()
		if err == nil {
			return Picture{JPEG: data, Size: size, Taken: taken}, nil
		}
		spoilt.corrupt++
		spoilt.last = err
		c.mu.Lock()
		c.stats.Corrupt++
		c.mu.Unlock()
		c.log.Debug("frame thrown away", "err", err)
	}
	return Picture{}, spoilt
}

// next reads a frame into the session's buffer. A stream that sends nothing for
// a third of the time there is has stalled.
func (c *Camera) next(ctx context.Context) error {
	s := c.session
	stalled, cancel := context.WithTimeoutCause(ctx, c.opts.Timeout/3, errStalled)
	defer cancel()
	frame, err := s.video.Next(stalled, s.buf[:0])
	if err != nil {
		if !errors.Is(err, hw.ErrGone) && stalled.Err() != nil && ctx.Err() == nil {
			return errStalled
		}
		return err
	}
	s.buf = frame
	c.mu.Lock()
	c.stats.Frames++
	c.mu.Unlock()
	return nil
}

// develop makes a picture of the frame in the session's buffer, which it may take
// over.
func (c *Camera) develop() ([]byte, image.Point, error) {
	if c.session.stream.Pixel.RowBytes(1) > 0 {
		return c.encode()
	}
	s := c.session
	data, size, err := c.frames.Repair(s.buf)
	if err != nil {
		return nil, size, err
	}
	// The picture's own header is right: drivers are known that deliver another size than they agreed to
	// (linuxdeepin/deepin-camera#520).
	if agreed := image.Pt(s.stream.Width, s.stream.Height); size != agreed {
		if c.header != size {
			c.header = size
			c.log.Warn("camera delivers another size than its driver reports", "agreed", sizeString(agreed), "got", sizeString(size))
		}
		c.describe(s.stream.Pixel, size)
	}
	s.buf = nil
	return data, size, nil
}

// encode makes a JPEG of a raw frame.
//
// A frame may be longer than its samples: v4l2loopback before 0.13 and GStreamer's v4l2sink round
// its length up to a page. One that is shorter has lost a part.
func (c *Camera) encode() ([]byte, image.Point, error) {
	s := c.session
	size := image.Pt(s.stream.Width, s.stream.Height)
	whole := s.stream.Layout().Bytes
	if len(s.buf) < whole {
		return nil, size, fmt.Errorf("%d bytes, and %s in %v are %d", len(s.buf), sizeString(size), s.stream.Pixel, whole)
	}
	if c.encoder == nil {
		c.encoder = mjpeg.NewEncoder(c.opts.Quality)
	}
	room := s.last + s.last/8
	if room == 0 {
		room = size.X * size.Y / 4
	}
	data, err := c.encoder.Append(make([]byte, 0, room), mjpeg.Frame{
		Pixel: s.stream.Pixel, Pix: s.buf[:whole], Stride: s.stream.Stride, Width: size.X, Height: size.Y, FullRange: s.stream.FullRange,
	})
	s.last = len(data)
	return data, size, err
}
