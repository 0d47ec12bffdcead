package display

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"pithings/hw"
)

// Fit says how a picture of another shape than the screen's is shown.
type Fit int

const (
	// Contain shows the whole picture, with black bars beside it.
	Contain Fit = iota
	// Cover fills the whole screen; what does not fit is cut off evenly.
	Cover
)

// ParseFit reads "contain" or "cover".
func ParseFit(s string) (Fit, error) {
	switch s {
	case "contain":
		return Contain, nil
	case "cover":
		return Cover, nil
	}
	return 0, fmt.Errorf("fit %q: use contain or cover", s)
}

// String returns "contain" or "cover".
func (f Fit) String() string {
	if f == Cover {
		return "cover"
	}
	return "contain"
}

// Opts says how a screen shows pictures.
type Opts struct {
	// Fit is for pictures of another shape than the screen's.
	Fit Fit
	// Rotate turns pictures clockwise, for screens that are mounted otherwise:
	// 0, 90, 180 or 270 degrees.
	Rotate int
	// ClearAfter is how long a picture stays. 0 or less: until it is cleared or
	// replaced. [DefaultOpts] has 10 s.
	ClearAfter time.Duration
	// PowerSave switches the panel off while nothing is shown, if the driver can.
	PowerSave bool

	Fetch  FetchOpts
	Decode DecodeOpts
}

// DefaultOpts returns the usual options: whole pictures, not turned, for 10 s.
func DefaultOpts() Opts { return Opts{ClearAfter: 10 * time.Second} }

var (
	// ErrSuperseded: a newer picture, or a command to clear the screen, came
	// before this picture was ready.
	ErrSuperseded = errors.New("superseded by a newer display command")
	// ErrClosed: the screen has been closed.
	ErrClosed = errors.New("screen is closed")
)

// Screen shows pictures on one framebuffer. Its methods may be called from
// several goroutines.
//
// The newest command wins: Show, ShowImage and Clear cancel a Show that is
// still under way, which then returns [ErrSuperseded]. A Show that fails for
// its own reasons leaves the screen, and the timer of the picture that it shows,
// as they were.
//
// The framebuffer need not be there: it is opened by the first command or
// [Screen.Check] that finds it, and again after it vanished.
type Screen struct {
	board  hw.Board
	device string
	opts   Opts
	log    *slog.Logger
	fetch  *fetcher

	// work is held by the one Show that fetches and decodes: two decoded
	// pictures at once are more than a small Pi has room for.
	work chan struct{}

	turnMu sync.Mutex
	turn   uint64 // counts commands; the last one is the one that matters
	cancel context.CancelCauseFunc

	mu       sync.Mutex // guards all below; held while drawing
	closed   bool
	fb       hw.Framebuffer // nil while there is none
	blit     *blitter
	canBlank bool
	said     string         // of the screen, when it was opened last
	timer    *time.Timer    // of the picture shown
	pictures uint64         // counts pictures shown, so that a late timer knows it is late
	timers   sync.WaitGroup // timers that will run or are running

	mirror sync.Mutex // one PNG at a time
}

// New returns a screen on the framebuffer that board calls device. It does not
// open it yet.
func New(board hw.Board, device string, opts Opts, log *slog.Logger) *Screen {
	return &Screen{
		board:  board,
		device: device,
		opts:   opts,
		log:    log,
		fetch:  newFetcher(opts.Fetch),
		work:   make(chan struct{}, 1),
	}
}

// Validate refuses options that mean nothing.
func (o Opts) Validate() error {
	switch o.Rotate {
	case 0, 90, 180, 270:
	default:
		return fmt.Errorf("rotate %d: use 0, 90, 180 or 270 degrees", o.Rotate)
	}
	if o.Fit != Contain && o.Fit != Cover {
		return fmt.Errorf("fit %d: use contain or cover", o.Fit)
	}
	return nil
}

// Device is what the board calls the framebuffer.
func (s *Screen) Device() string { return s.device }

// String names the screen for a log line.
func (s *Screen) String() string { return "screen " + s.device }

// Check opens the framebuffer if it is not open, and finds out whether it is
// still there if it is. Its error wraps one of hw's (hw.ErrNotFound …); a later
// call may succeed. A framebuffer just opened is painted black.
func (s *Screen) Check(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.openLocked(); err != nil {
		return err
	}
	return s.failed(s.fb.Read(func([]byte) {}))
}

// Vet refuses the address of a picture that can be seen not to be fetched: by its form, or
// by where it leads. A caller that does so before Show keeps a refused command from ending
// the Show before it. What passes may fail all the same.
func (s *Screen) Vet(uri string) error {
	if uri = strings.TrimSpace(uri); uri == "" {
		return nil
	}
	return s.fetch.vet(uri)
}

// Show fetches the picture that uri names, shows it, and clears it after
// Opts.ClearAfter. A blank uri clears the screen at once.
func (s *Screen) Show(ctx context.Context, uri string) error {
	uri = strings.TrimSpace(uri)
	if uri == "" {
		return s.Clear(ctx)
	}
	ctx, turn, done := s.begin(ctx)
	defer done()
	select {
	case s.work <- struct{}{}:
		defer func() { <-s.work }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// No picture is fetched for a screen that is not there. One that changed its
	// mode is there again at once.
	err := s.Check(ctx)
	if errors.Is(err, hw.ErrGone) {
		err = s.Check(ctx)
	}
	if err != nil {
		return err
	}
	data, err := s.fetch.fetch(ctx, uri)
	if err != nil {
		return err
	}
	p, err := decode(ctx, data, s.opts.Decode)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return fmt.Errorf("picture from %s: %w", redact(uri), err)
	}
	cost := p.cost + int64(len(data))
	data = nil
	err = s.show(turn, p)
	p.Image = nil
	if cost > largePicture {
		// The next one may be minutes away, and until then nothing would give
		// the memory of this one back to the system.
		debug.FreeOSMemory()
	}
	return err
}

// largePicture is the memory of a picture, in bytes, that is worth a garbage
// collection of its own: more than the small heap of an idle program.
const largePicture = 1 << 20

// ShowImage shows a picture that is decoded already, like Show.
func (s *Screen) ShowImage(ctx context.Context, img image.Image) error {
	ctx, turn, done := s.begin(ctx)
	defer done()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return s.show(turn, picture{Image: img, orientation: 1})
}

// Clear paints the screen black and cancels a Show under way.
func (s *Screen) Clear(ctx context.Context) error {
	ctx, turn, done := s.begin(ctx)
	defer done()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.current(turn) {
		return ErrSuperseded
	}
	if err := s.openLocked(); err != nil {
		return err
	}
	s.stopTimer()
	err := s.clearLocked()
	if errors.Is(err, hw.ErrGone) {
		err = s.openLocked() // which clears it
	}
	return err
}

// Close clears the screen and gives it back to the console. It ends a Show
// under way. It may be called twice.
func (s *Screen) Close() error {
	_, _, done := s.begin(context.Background())
	done()
	s.mu.Lock()
	var err error
	if !s.closed {
		s.closed = true
		s.stopTimer()
		if s.fb != nil {
			if s.opts.PowerSave {
				s.blank(false) // a console on a dark panel cannot be read
			}
			cleared := s.fb.Draw(func(pix []byte) { s.blit.clear(pix) })
			if errors.Is(cleared, hw.ErrGone) {
				cleared = nil
			}
			err = errors.Join(cleared, s.fb.Close())
			s.fb, s.blit = nil, nil
		}
	}
	s.mu.Unlock()
	s.timers.Wait()
	s.fetch.close()
	if err != nil {
		return fmt.Errorf("close %s: %w", s, err)
	}
	return nil
}

// begin makes the caller's command the newest one and cancels its predecessor.
func (s *Screen) begin(ctx context.Context) (context.Context, uint64, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.turnMu.Lock()
	defer s.turnMu.Unlock()
	if s.cancel != nil {
		s.cancel(ErrSuperseded)
	}
	s.cancel = cancel
	s.turn++
	return ctx, s.turn, func() { cancel(nil) }
}

// current reports whether a command is still the newest one.
func (s *Screen) current(turn uint64) bool {
	s.turnMu.Lock()
	defer s.turnMu.Unlock()
	return s.turn == turn
}

// show draws p, if the command is still the newest, and starts its timer.
func (s *Screen) show(turn uint64, p picture) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.drawLocked(turn, p)
	if errors.Is(err, hw.ErrGone) {
		// Most often the screen changed its mode, and is there again.
		err = s.drawLocked(turn, p)
	}
	if err != nil {
		return err
	}
	s.stopTimer()
	s.startTimer()
	return nil
}

func (s *Screen) drawLocked(turn uint64, p picture) error {
	if err := s.openLocked(); err != nil {
		return err
	}
	if !s.current(turn) {
		return ErrSuperseded
	}
	s.blit.src.open(p.Image)
	s.blit.src.smooth = p.decoded
	defer s.blit.release()
	var drawn error
	err := s.fb.Draw(func(pix []byte) {
		drawn = s.blit.draw(pix, s.opts.Fit, turnOf(p.orientation, s.opts.Rotate))
	})
	if err = s.failed(errors.Join(err, drawn)); err != nil {
		return err
	}
	if s.opts.PowerSave {
		s.blank(false)
	}
	return nil
}

// openLocked opens the framebuffer unless it is open.
func (s *Screen) openLocked() error {
	switch {
	case s.closed:
		return fmt.Errorf("%s: %w", s, ErrClosed)
	case s.fb != nil:
		return nil
	}
	fb, err := s.board.OpenFramebuffer(s.device)
	if err != nil {
		return fmt.Errorf("screen: %w", err) // boards name the device
	}
	geo := fb.Geometry()
	if err := geo.Validate(); err != nil {
		return fmt.Errorf("%s: %w", s, errors.Join(err, fb.Close()))
	}
	s.fb, s.canBlank = fb, true
	if s.blit == nil || s.blit.geo != geo {
		s.blit = newBlitter(geo)
	}
	// The console may have switched the panel off long ago.
	s.blank(false)
	if err := s.clearLocked(); err != nil {
		if s.fb != nil {
			s.fb.Close()
			s.fb = nil
		}
		return err
	}
	if now := fb.String() + " " + geo.String(); now != s.said { // and not each time it is opened again
		s.said = now
		s.log.Info("screen is ready", "device", fb.String(), "geometry", geo.String())
	}
	return nil
}

// failed says which part an error is of, and lets go of a framebuffer that has
// gone.
func (s *Screen) failed(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, hw.ErrGone) && s.fb != nil {
		s.log.Warn("screen has gone; it is opened again when it is back", "device", s.device, "err", err)
		s.stopTimer()
		s.fb.Close() // of what is gone, nothing more can be said
		s.fb = nil
	}
	return fmt.Errorf("screen: %w", err)
}

func (s *Screen) clearLocked() error {
	var drawn error
	err := s.fb.Draw(func(pix []byte) { drawn = s.blit.clear(pix) })
	if err = s.failed(errors.Join(err, drawn)); err != nil {
		return err
	}
	if s.opts.PowerSave {
		s.blank(true)
	}
	return nil
}

// blank switches the panel off or on, on screens that can.
func (s *Screen) blank(off bool) {
	if !s.canBlank {
		return
	}
	if err := s.fb.Blank(off); err != nil {
		s.canBlank = false // once said is enough
		s.log.Debug("screen cannot be switched off and on", "device", s.device, "err", err)
	}
}

// startTimer starts the timer of a picture just shown.
func (s *Screen) startTimer() {
	s.pictures++
	if s.opts.ClearAfter <= 0 {
		return
	}
	shown := s.pictures
	s.timers.Add(1)
	s.timer = time.AfterFunc(s.opts.ClearAfter, func() {
		defer s.timers.Done()
		s.expire(shown)
	})
}

// stopTimer stops the timer of the picture shown, if it has one.
func (s *Screen) stopTimer() {
	s.pictures++ // a timer that runs already finds itself late
	if s.timer != nil && s.timer.Stop() {
		s.timers.Done()
	}
	s.timer = nil
}

// expire clears the screen at the end of a picture's time. A Show under way
// continues: its picture is still wanted.
func (s *Screen) expire(shown uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.fb == nil || s.pictures != shown {
		return
	}
	s.timer = nil
	if err := s.clearLocked(); err != nil && !errors.Is(err, hw.ErrGone) { // that was logged
		s.log.Warn("screen was not cleared in time", "err", err)
	}
}
