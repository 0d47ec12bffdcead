package system

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
)

// othersWork makes sure that motion is published and that pictures are taken,
// but by the camera named.
func (a *app) othersWork(but string) {
	a.t.Helper()
	a.edge()
	for _, camera := range []string{"TG_Camera", "TG_Loop"} {
		if camera != but {
			a.capture(camera)
		}
	}
}

// edge makes one motion.
func (a *app) edge() {
	a.t.Helper()
	from := a.count()
	setLine(a.t, true)
	a.wait(from, "TG_MS/motion", nil)
	setLine(a.t, false)
	time.Sleep(time.Second) // the debounce
}

// capture takes a picture and looks at it.
func (a *app) capture(camera string) (uri string) {
	a.t.Helper()
	from := a.count()
	a.publish(camera+"/capture", "{}")
	payload, _ := a.wait(from, camera+"/capture/finished", nil)
	return a.look(payload)
}

// capturesAgain asks for pictures until one comes, and returns where it is.
func (a *app) capturesAgain(camera string) (uri string) {
	a.t.Helper()
	from := a.count()
	defer a.capturing(camera)()
	payload, _ := a.wait(from, camera+"/capture/finished", nil)
	return a.look(payload)
}

// capturing asks a camera for pictures again and again, until stop: a command that comes before
// pithings has subscribed has no receiver.
func (a *app) capturing(camera string) (stop func()) {
	over := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			a.publish(camera+"/capture", "{}")
			select {
			case <-over:
				return
			case <-time.After(5 * time.Second):
			}
		}
	})
	return func() {
		close(over)
		asking.Wait()
	}
}

// look looks at a picture that was finished, and returns where it is.
func (a *app) look(payload string) (uri string) {
	a.t.Helper()
	uri = pictureURI(a.t, payload)
	if b := fetch(a.t, uri).Bounds(); b.Dx() != 640 || b.Dy() != 480 {
		a.t.Errorf("a picture of %v", b)
	}
	return uri
}

// killFeeder kills the feeder, whoever started it.
func killFeeder(t *testing.T) {
	t.Helper()
	for _, pid := range guest.Processes("feeder") {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the feeder has ended", func() bool { return len(guest.Processes("feeder")) == 0 })
}

// startFeeder feeds the loopback camera, as MJPEG unless flags say otherwise.
func startFeeder(t *testing.T, flags ...string) {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	cmd := exec.Command("/bin/feeder", append(flags, "-ready", ready, feeder)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go cmd.Wait() // it continues for the tests that follow
	eventually(t, "the feeder feeds", func() bool {
		_, err := os.Stat(ready)
		return err == nil
	})
}

// unbind takes a device away from its driver; the returned function binds it
// again.
func unbind(t *testing.T, entry string) (bind func()) {
	t.Helper()
	again, err := guest.Unbind(entry)
	if err != nil {
		t.Fatal(err)
	}
	bind = sync.OnceFunc(func() {
		if err := again(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(bind)
	return bind
}

// unbindScreen takes the framebuffer away.
func unbindScreen(t *testing.T) (bind func()) {
	t.Helper()
	bind = unbind(t, "/sys/class/graphics/fb0")
	if _, err := os.Stat(screen); err == nil {
		t.Fatalf("%s is still there without its driver", screen)
	}
	return bind
}

// vividControl sets one of vivid's controls, by its name (VIDIOC_QUERYCTRL and
// VIDIOC_S_CTRL of linux/videodev2.h).
func vividControl(t *testing.T, name string, value int32) {
	t.Helper()
	f, err := os.OpenFile(vivid, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var q struct {
		id, kind                         uint32
		name                             [32]byte
		minimum, maximum, step, standard int32
		flags                            uint32
		_                                [2]uint32
	}
	request := func(nr, size uintptr) uintptr { return 3<<30 | size<<16 | 'V'<<8 | nr }
	for {
		q.id |= 0x80000000 // V4L2_CTRL_FLAG_NEXT_CTRL
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request(36, unsafe.Sizeof(q)), uintptr(unsafe.Pointer(&q))); errno != 0 {
			t.Fatalf("vivid has no control %q: %v", name, errno)
		}
		if text, _, _ := bytes.Cut(q.name[:], []byte{0}); string(text) != name {
			continue
		}
		set := struct {
			id    uint32
			value int32
		}{q.id, value}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request(28, unsafe.Sizeof(set)), uintptr(unsafe.Pointer(&set))); errno != 0 {
			t.Fatalf("%s: %v", name, errno)
		}
		return
	}
}
