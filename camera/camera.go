package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"sync"
	"time"

	"pithings/camera/mjpeg"
	"pithings/hw"
	"pithings/pulse"
)

// Opts says how pictures are taken. The zero value is ready to use.
type Opts struct {
	// Size wanted, in pixels; zero leaves it to the driver. The nearest that the
	// device has is taken.
	Size image.Point
	// Pixel is the format to ask the device for. Zero takes the first that comes in Size
	// of MJPG, JPEG, YUYV, UYVY, YU12 and NV12, and GREY when there is nothing else.
	Pixel hw.PixelFormat
	// WarmUpFrames are thrown away after the stream has started, so that exposure
	// and white balance can settle: 10 when zero, none when negative. Cheap
	// cameras in dim light may want 25.
	WarmUpFrames int
	// Quality of pictures that are encoded here, 1 to 100; 85 when zero.
	Quality int
	// KeepOpen keeps the stream running for so long after a picture. The next one
	// is then there at once, for the price of the camera's light, its current, and
	// the memory for its frames.
	KeepOpen time.Duration
	// Timeout bounds one picture from opening the device on: 10 s when zero. A
	// device that vanishes has so long to come back.
	Timeout time.Duration
}

// The defaults of [Opts].
const (
	DefaultWarmUpFrames = 10
	DefaultQuality      = 85
	DefaultTimeout      = 10 * time.Second
)

func (o *Opts) complete() Opts {
	var c Opts
	if o != nil {
		c = *o
	}
	if c.WarmUpFrames == 0 {
		c.WarmUpFrames = DefaultWarmUpFrames
	}
	c.WarmUpFrames = max(c.WarmUpFrames, 0)
	if c.Quality == 0 {
		c.Quality = DefaultQuality
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	return c
}

// The reasons why there is no picture, beside those of package hw.
var (
	// ErrNoFrame: the device is open and sends nothing.
	ErrNoFrame = errors.New("no frame came")
	// ErrCorrupt: the device sends frames, and none of them is whole.
	ErrCorrupt = errors.New("only corrupt frames came")
	// ErrClosed: the camera was closed.
	ErrClosed = errors.New("camera is closed")
)

// Picture is a photo.
type Picture struct {
	JPEG  []byte // a whole file; belongs to the caller
	Size  image.Point
	Taken time.Time // when the frame had come from the device
}

// Stats counts what a camera did since New.
type Stats struct {
	Captures uint64 // pictures taken
	Failures uint64 // captures that ended without a picture
	Frames   uint64 // frames received
	Corrupt  uint64 // of these, looked at and found not whole
	Reopens  uint64 // times the device was opened again within a capture

	LastCapture  time.Time     // when the last picture was taken
	LastDuration time.Duration // from request to picture, waiting for others left out
	Format       string        // what the device delivered last, for people: "MJPG 1280x720"
}

// Camera takes pictures with one video device. All methods may be called from
// several goroutines; pictures are taken one after the other.
type Camera struct {
	board  hw.Board
	device string
	opts   Opts
	log    *slog.Logger

	life context.Context // ends with Close
	end  context.CancelCauseFunc
	turn chan struct{} // holds a token while a goroutine uses the fields below

	session   *session
	encoder   *mjpeg.Encoder
	lingering *linger
	wait      sync.WaitGroup // for goroutines that linger
	frames    mjpeg.Repairer // knows what the device's JPEG frames are like
	said      image.Point    // size that was logged to differ from the one wanted
	header    image.Point    // size that was logged to differ from the one agreed

	mu    sync.Mutex
	stats Stats
}

// New returns a camera for a video device of board, as [hw.Board].OpenVideo names
// it. Nothing is opened yet. opts may be nil.
func New(board hw.Board, device string, opts *Opts, log *slog.Logger) *Camera {
	c := &Camera{
		board:  board,
		device: device,
		opts:   opts.complete(),
		log:    log.With("camera", device),
		turn:   make(chan struct{}, 1),
	}
	c.life, c.end = context.WithCancelCause(context.Background())
	return c
}

// Device is what the board calls the video device.
func (c *Camera) Device() string { return c.device }

// String names the camera by its device.
func (c *Camera) String() string { return "camera " + c.device }

// acquire waits for the camera's turn. The context that it returns also ends with
// the camera and must be released.
func (c *Camera) acquire(ctx context.Context) (context.Context, func(), error) {
	defer pulse.Of(ctx).Rest()() // as long as the pictures before take
	select {
	case <-c.life.Done():
		return nil, nil, c.wrap(ErrClosed)
	case <-ctx.Done():
		return nil, nil, c.wrap(fmt.Errorf("waiting for the picture before: %w", context.Cause(ctx)))
	case c.turn <- struct{}{}:
	}
	if c.life.Err() != nil {
		<-c.turn
		return nil, nil, c.wrap(ErrClosed)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.life, func() { cancel(ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
		<-c.turn
	}, nil
}

func (c *Camera) wrap(err error) error { return fmt.Errorf("camera %s: %w", c.device, err) }

// Capture takes a picture that is younger than the call. It waits while another
// one is being taken, as long as ctx lets it, and then needs up to Opts.Timeout.
//
// A device that vanishes meanwhile is opened again until the time is over. One
// that is not there to begin with is an error at once (hw.ErrNotFound), and so
// are hw.ErrBusy, hw.ErrPermission and hw.ErrUnsupported. After any error the
// next Capture begins with a fresh handle.
func (c *Camera) Capture(ctx context.Context) (Picture, error) {
	ctx, release, err := c.acquire(ctx)
	if err != nil {
		return Picture{}, err
	}
	defer release()
	c.stopLingering()

	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.Timeout, errTimeout)
	defer cancel()
	p, err := c.capture(ctx)

	c.mu.Lock()
	if err == nil {
		c.stats.Captures++
		c.stats.LastCapture, c.stats.LastDuration = p.Taken, time.Since(began)
	} else {
		c.stats.Failures++
	}
	c.mu.Unlock()
	if err != nil {
		c.drop()
		return Picture{}, c.wrap(err)
	}
	if c.opts.KeepOpen > 0 {
		c.linger()
	} else {
		c.drop()
	}
	return p, nil
}

// Check reports whether the device is there and offers a picture format that this
// package understands, without starting it: the light stays off. It is meant to
// be called at start and from time to time.
func (c *Camera) Check(ctx context.Context) error {
	_, release, err := c.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	v := hw.Video(nil)
	if c.session != nil {
		v = c.session.video
	} else {
		if v, err = c.board.OpenVideo(c.device); err != nil {
			return c.wrap(err)
		}
		defer v.Close()
	}
	if _, err := c.choices(v); err != nil {
		if c.session != nil { // not worth keeping
			c.stopLingering()
			c.drop()
		}
		return c.wrap(err)
	}
	return nil
}

// Stats returns the counters.
func (c *Camera) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Close ends a capture that runs, releases the device and waits until both is
// done. It may be called twice.
func (c *Camera) Close() error {
	c.end(ErrClosed)
	c.turn <- struct{}{}
	c.stopLingering()
	c.drop()
	<-c.turn
	c.wait.Wait()
	return nil
}

// drop closes the device and lets go of the memory for its frames. The turn is
// ours.
func (c *Camera) drop() {
	if c.session == nil {
		return
	}
	if err := c.session.video.Close(); err != nil {
		c.log.Debug("cannot close the camera", "err", err)
	}
	c.session, c.encoder = nil, nil
}

// A linger is a goroutine that closes a session that is not used again in time.
type linger struct{ cancel context.CancelFunc }

func (c *Camera) linger() {
	ctx, cancel := context.WithCancel(c.life)
	l := &linger{cancel}
	c.lingering = l
	c.wait.Go(func() {
		defer cancel()
		timer := time.NewTimer(c.opts.KeepOpen)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return
		case c.turn <- struct{}{}:
		}
		if c.lingering == l { // no newer one has started
			c.lingering = nil
			c.drop()
		}
		<-c.turn
	})
}

// stopLingering keeps the session from being closed. The turn is ours.
func (c *Camera) stopLingering() {
	if c.lingering != nil {
		c.lingering.cancel()
		c.lingering = nil
	}
}
