package pi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"pithings/hw"
	"pithings/hw/hwtest"
)

// pseudoTerminal opens a pair of serial ports without wires (pts(4)): what is written to
// one end is read at the other, whose node is returned.
func pseudoTerminal(t *testing.T) (other *os.File, node string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo terminals: %v", err)
	}
	other = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { other.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return other, fmt.Sprintf("/dev/pts/%d", n)
}

func TestSerial(t *testing.T) {
	b := &Board{model: "this machine"}
	ask, answer := []byte("how are you?\x00\x11\x13\r\n"), []byte{0, 3, 4, 0x11, 0x13, 0xff, '\r', '\n', 0x7f}
	other, node := pseudoTerminal(t)
	keep, err := os.OpenFile(node, os.O_RDWR|unix.O_NOCTTY, 0) // without it the other end hangs up
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for got := make([]byte, 0, 64); ; {
			n, err := other.Read(got[len(got):cap(got)])
			if err != nil {
				return
			}
			if got = got[:len(got)+n]; bytes.HasSuffix(got, ask) {
				got = got[:0]
				if _, err := other.Write(answer); err != nil {
					return
				}
			}
		}
	}()
	hwtest.Run(t, hwtest.Harness{Open: func(*testing.T) hw.Board { return b }, Serial: &hwtest.Serial{
		Device: node, Missing: "/dev/ttyUSB99", Ask: ask, Answer: answer,
		Opts: hw.SerialOpts{Speed: 9600, Parity: hw.OddParity, StopBits: 2},
		Hold: func(t *testing.T) func() {
			if err := unix.Flock(int(keep.Fd()), unix.LOCK_EX); err != nil {
				t.Fatal(err)
			}
			return func() { _ = unix.Flock(int(keep.Fd()), unix.LOCK_UN) }
		},
	}})
	other.Close()
	<-done
}

func TestSerialSettings(t *testing.T) {
	for _, row := range []struct {
		hw.SerialOpts
		cflag uint32 // beside 8 bits, receiver on, no modem lines, speed by number
		iflag uint32
	}{
		{hw.SerialOpts{Speed: 19200, Parity: hw.EvenParity, StopBits: 1}, unix.PARENB, unix.INPCK},
		{hw.SerialOpts{Speed: 9600, Parity: hw.OddParity, StopBits: 1}, unix.PARENB | unix.PARODD, unix.INPCK},
		{hw.SerialOpts{Speed: 250000, StopBits: 2}, unix.CSTOPB, 0},
	} {
		got := unix.Termios{Iflag: unix.ICRNL | unix.IXON, Oflag: unix.OPOST, Lflag: unix.ICANON | unix.ECHO, Cflag: unix.CRTSCTS | unix.CS7}
		setSerial(&got, row.SerialOpts)
		want := unix.Termios{Iflag: unix.IGNBRK | row.iflag, Cflag: unix.CS8 | unix.CREAD | unix.CLOCAL | unix.BOTHER | row.cflag,
			Ispeed: uint32(row.Speed), Ospeed: uint32(row.Speed)}
		want.Cc[unix.VMIN] = 1
		if got != want {
			t.Errorf("%+v: %+v, want %+v", row.SerialOpts, got, want)
		}
	}
	_, node := pseudoTerminal(t)
	s, err := new(Board).OpenSerial(node, hw.SerialOpts{Speed: 250000, StopBits: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	file, err := os.OpenFile(node, os.O_RDWR|unix.O_NOCTTY, 0)
	if err == nil { // for root only, whom the exclusive mode does not stop
		defer file.Close()
		got, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS2)
		if err != nil || got.Ospeed != 250000 || got.Lflag != 0 {
			t.Errorf("the port has %+v, %v", got, err)
		}
	}
}

func TestSerialThatIsUnplugged(t *testing.T) {
	other, node := pseudoTerminal(t)
	s, err := new(Board).OpenSerial(node, hw.SerialOpts{Speed: 9600, StopBits: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other.Close()
	if _, err := s.Read(make([]byte, 8)); !errors.Is(err, hw.ErrGone) {
		t.Errorf("Read: %v, want %v", err, hw.ErrGone)
	}
	if _, err := s.Write([]byte{1}); !errors.Is(err, hw.ErrGone) {
		t.Errorf("Write: %v, want %v", err, hw.ErrGone)
	}
}

func TestSerialIsNoSerialPort(t *testing.T) {
	for _, device := range []string{"/dev/null", t.TempDir()} {
		if _, err := new(Board).OpenSerial(device, hw.SerialOpts{Speed: 9600, StopBits: 1}); !errors.Is(err, hw.ErrUnsupported) {
			t.Errorf("%s: %v, want %v", device, err, hw.ErrUnsupported)
		}
	}
}

// A Pi with a USB adapter, whose kernel writes to the serial port of the header; a PC has
// nodes for ports that are not there.
func TestSerialParts(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(name, target string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, file); err != nil {
			t.Fatal(err)
		}
	}
	if got := serialParts(root); got != nil {
		t.Errorf("a machine without ports: %+v", got)
	}
	put("sys/class/tty/console/active", "tty1 ttyAMA0\n")
	for name, driver := range map[string]string{"ttyAMA0": "uart-pl011", "ttyUSB0": "ftdi_sio", "ttyS0": "serial8250", "ttyS1": "serial8250"} {
		link("sys/class/tty/"+name+"/device/driver", "../../../../bus/drivers/"+driver)
		put("dev/"+name, "")
	}
	put("sys/class/tty/ttyS0/type", "4\n")
	put("sys/class/tty/ttyS1/type", "0\n")
	put("sys/class/tty/tty1/type", "0\n") // has no device
	put("dev/tty1", "")
	link("dev/serial/by-id/usb-FTDI_USB-RS485_A1-if00-port0", "../../ttyUSB0")
	node := func(name string) string { return filepath.Join(root, "dev", name) }
	want := []hw.SerialPart{
		{Node: node("ttyAMA0"), Open: node("ttyAMA0"), Title: node("ttyAMA0") + " (uart-pl011)", Console: true},
		{Node: node("ttyS0"), Open: node("ttyS0"), Title: node("ttyS0") + " (serial8250)"},
		{Node: node("ttyUSB0"), Open: node("serial/by-id/usb-FTDI_USB-RS485_A1-if00-port0"), Title: node("ttyUSB0") + " (ftdi_sio)"},
	}
	if got := serialParts(root); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDial(t *testing.T) {
	if _, err := new(Board).Dial(t.Context(), "127.0.0.1:1"); !errors.Is(err, hw.ErrNotFound) {
		t.Errorf("a port at which nothing listens: %v, want %v", err, hw.ErrNotFound)
	}
	if _, err := new(Board).Dial(t.Context(), "no such host:502"); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a host that is none: %v", err)
	}
}
