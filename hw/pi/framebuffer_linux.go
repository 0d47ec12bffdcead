package pi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

const fbMissing = "no such screen; plug the display in before the start, or set hdmi_force_hotplug=1 (vc4: video=HDMI-A-1:1280x720@60D in cmdline.txt)"

// OpenFramebuffer implements [hw.Board].
func (b *Board) OpenFramebuffer(device string) (hw.Framebuffer, error) {
	info, err := os.Stat(device)
	if err != nil {
		return nil, openError(device, err, fbMissing)
	}
	if info.Mode()&fs.ModeCharDevice == 0 {
		return nil, because(hw.ErrUnsupported, nil, device, "this is %s, not a framebuffer", fileKind(info.Mode()))
	}
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, openError(device, err, fbMissing)
	}
	s := &screen{node: device, f: f}
	if err := s.init(); err != nil {
		f.Close()
		return nil, err
	}
	s.giveBack = b.console.take(int(f.Fd()))
	return s, nil
}

// screen is an open framebuffer.
type screen struct {
	node     string
	title    string // "/dev/fb0 (simple)"
	mode     screenMode
	geometry hw.Geometry

	mu       sync.Mutex
	f        *os.File // nil when closed
	mem      []byte
	blanked  bool
	giveBack func() // the console
}

// look reads and checks the screen's mode.
func (s *screen) look() error {
	var err error
	if s.mode, err = readMode(int(s.f.Fd())); err != nil {
		if is(err, unix.ENODEV) {
			return openError(s.node, err, fbMissing)
		}
		return because(hw.ErrUnsupported, err, s.node, "this is not a framebuffer")
	}
	s.title = fmt.Sprintf("%s (%s)", s.node, cString(s.mode.f.id[:]))
	if s.geometry, err = s.mode.geometry(); err != nil {
		return fmt.Errorf("%s: %w", s.title, err)
	}
	if _, _, err := s.mode.span(os.Getpagesize()); err != nil {
		return fmt.Errorf("%s: %w", s.title, err)
	}
	return nil
}

func (s *screen) init() error {
	err := s.look()
	if err != nil {
		return err
	}
	length := int(s.mode.f.smemStart%uintptr(os.Getpagesize())) + int(s.mode.f.smemLen)
	s.mem, err = unix.Mmap(int(s.f.Fd()), 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("%s: map its memory: %w", s.title, err)
	}
	return nil
}

func (s *screen) String() string { return s.title }

// Geometry implements [hw.Framebuffer].
func (s *screen) Geometry() hw.Geometry { return s.geometry }

// Draw implements [hw.Framebuffer].
func (s *screen) Draw(paint func(pix []byte)) error { return s.visible(paint) }

// Read implements [hw.Framebuffer].
func (s *screen) Read(look func(pix []byte)) error { return s.visible(look) }

func (s *screen) visible(use func(pix []byte)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		return fmt.Errorf("%s: %w", s.title, fs.ErrClosed)
	}
	mode, err := readMode(int(s.f.Fd()))
	if err == nil && !mode.same(s.mode) {
		err = errModeChanged
	}
	if err != nil {
		return because(hw.ErrGone, err, s.title, "%v", err)
	}
	begin, end, err := mode.span(os.Getpagesize())
	if err != nil || end > len(s.mem) {
		return because(hw.ErrGone, err, s.title, "the picture moved out of the mapped memory")
	}
	if !s.guard(func() { use(s.mem[begin:end:end]) }) {
		return because(hw.ErrGone, nil, s.title, "its memory vanished while it was used")
	}
	return nil
}

// guard runs f, and returns false when f touched screen memory that is no
// longer there (SIGBUS).
func (s *screen) guard(f func()) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			first := uintptr(unsafe.Pointer(unsafe.SliceData(s.mem)))
			if a := r.Addr(); a < first || a-first >= uintptr(len(s.mem)) {
				panic(r)
			}
			ok = false
		default:
			panic(r)
		}
	}()
	f()
	return true
}

// Blank implements [hw.Framebuffer].
func (s *screen) Blank(off bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		return fmt.Errorf("%s: %w", s.title, fs.ErrClosed)
	}
	return s.blank(off)
}

func (s *screen) blank(off bool) error {
	level := uintptr(fbBlankUnblank)
	if off {
		level = fbBlankPowerdown
	}
	err := ioctlValue(int(s.f.Fd()), fbioBlank, level)
	switch {
	case err == nil:
		s.blanked = off
		return nil
	case is(err, unix.ENODEV):
		return because(hw.ErrGone, err, s.title, "the screen vanished")
	case is(err, unix.EINVAL, unix.ENOTTY, unix.ENOTSUP, unix.ENOSYS):
		return because(hw.ErrUnsupported, err, s.title, "its driver cannot switch the picture off")
	}
	return fmt.Errorf("%s: switch the picture: %w", s.title, err)
}

// Close implements [hw.Framebuffer].
func (s *screen) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		return nil
	}
	var errs []error
	if s.blanked {
		if err := s.blank(false); err != nil && !errors.Is(err, hw.ErrGone) {
			errs = append(errs, err)
		}
	}
	s.giveBack()
	if err := unix.Munmap(s.mem); err != nil {
		errs = append(errs, fmt.Errorf("%s: unmap: %w", s.title, err))
	}
	errs = append(errs, s.f.Close())
	s.f, s.mem = nil, nil
	return errors.Join(errs...)
}
