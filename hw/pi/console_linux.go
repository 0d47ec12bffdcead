package pi

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Numbers of linux/kd.h and linux/vt.h.
const (
	kdSetMode  = 0x4B3A
	kdGetMode  = 0x4B3B
	kdText     = 0
	kdGraphics = 1
	vtGetState = 0x5603
)

// console keeps the text console off the screens: fbcon would draw its text and
// blinking cursor over the picture.
//
// The right way is KD_GRAPHICS on the virtual terminal. That is allowed to the
// owner of the terminal (it is the process's controlling terminal) and to
// CAP_SYS_TTY_CONFIG. Who may only write to the terminal can hide its cursor
// and keep it from blanking. Who may do neither still draws.
type console struct {
	log *slog.Logger
	tty func() (terminal, error)

	mu    sync.Mutex
	users int
	undo  func()
	known bool
}

// take takes the console away for the framebuffer fb, and returns what gives it
// back. Several screens may be open at once.
func (c *console) take(fb int) (giveBack func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == 0 {
		undo, shown := c.quiet(fb)
		if !shown {
			return func() {}
		}
		c.undo = undo
	}
	c.users++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.users--; c.users == 0 {
			c.undo()
		}
	})
}

// quiet takes the console away. shown is false when the console is on another
// screen than fb: then it may stay there.
func (c *console) quiet(fb int) (undo func(), shown bool) {
	tty, err := c.tty()
	if err != nil {
		c.tell(err)
		return func() {}, true
	}
	if !tty.shownOn(fb) {
		tty.Close()
		return func() {}, false
	}
	before, err := tty.mode()
	if err == nil && before == kdGraphics {
		c.log.Warn("the console is in graphics mode already: another program may draw on the screen too", "terminal", tty.String())
		tty.Close()
		return func() {}, true
	}
	if err == nil {
		err = tty.setMode(kdGraphics)
	}
	if err == nil {
		return func() {
			defer tty.Close()
			// Going back to text makes the kernel draw the console again.
			if err := tty.setMode(before); err != nil {
				c.log.Warn("the console could not be restored", "terminal", tty.String(), "error", err)
			}
		}, true
	}
	// Cursor off, no blanking after a time (console_codes(4)).
	if _, writeErr := io.WriteString(tty, "\x1b[?25l\x1b[9;0]"); writeErr != nil {
		tty.Close()
		c.tell(err)
		return func() {}, true
	}
	c.tell(fmt.Errorf("%s: only its cursor may be hidden: %w", tty, err))
	return func() {
		defer tty.Close()
		// Cursor on, blanking as the kernel was configured, and a clear screen, since
		// nothing but new text would make the kernel draw over the picture.
		if _, err := fmt.Fprintf(tty, "\x1b[9;%d]\x1b[?25h\x1b[2J\x1b[H", blankMinutes("/sys/module/kernel/parameters/consoleblank")); err != nil {
			c.log.Warn("the console could not be restored", "terminal", tty.String(), "error", err)
		}
	}, true
}

// tell says once how the terminal is handed over.
func (c *console) tell(why error) {
	if c.known {
		return
	}
	c.known = true
	c.log.Warn("the console's text may show through the picture: hand its terminal over with "+
		"StandardInput=tty and TTYPath=/dev/tty1 in the service (the drop-in screen.conf, docs/service.md)", "reason", why)
}

// blankMinutes is the kernel's own console blanking time, 0 for never.
func blankMinutes(file string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	seconds, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || seconds < 0 {
		return 0
	}
	return min((seconds+59)/60, 60)
}

// terminal is a virtual terminal.
type terminal interface {
	io.WriteCloser
	String() string
	mode() (int, error)
	setMode(mode int) error
	shownOn(fb int) bool
}

// vt is a virtual terminal of this machine.
type vt struct{ *os.File }

func (t vt) String() string { return t.Name() }

func (t vt) mode() (int, error) {
	var mode int32 // an int in the kernel
	err := ioctl(int(t.Fd()), kdGetMode, unsafe.Pointer(&mode))
	return int(mode), err
}

func (t vt) setMode(mode int) error { return ioctlValue(int(t.Fd()), kdSetMode, uintptr(mode)) }

// shownOn reports whether the terminal in front is on the framebuffer that is open
// as fb. In doubt it is.
func (t vt) shownOn(fb int) bool {
	var state struct{ active, signal, state uint16 } // struct vt_stat
	front := uint32(1)
	if ioctl(int(t.Fd()), vtGetState, unsafe.Pointer(&state)) == nil {
		front = uint32(state.active)
	}
	mapped := struct{ console, framebuffer uint32 }{console: front} // struct fb_con2fbmap
	var st unix.Stat_t
	if ioctl(fb, fbioGetCon2FbMap, unsafe.Pointer(&mapped)) != nil || unix.Fstat(fb, &st) != nil {
		return true
	}
	return mapped.framebuffer == unix.Minor(uint64(st.Rdev))
}

// openConsole opens the best virtual terminal it can: the controlling one, the
// one in front (for root), the first one.
func openConsole() (terminal, error) {
	var reasons []string
	for _, node := range []string{"/dev/tty", "/dev/tty0", "/dev/tty1"} {
		f, err := os.OpenFile(node, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			reasons = append(reasons, err.Error())
			continue
		}
		t := vt{f}
		if _, err := t.mode(); err != nil { // ssh, serial lines, screen
			reasons = append(reasons, node+" is no virtual terminal")
			f.Close()
			continue
		}
		return t, nil
	}
	return nil, errors.New(strings.Join(reasons, "; "))
}
