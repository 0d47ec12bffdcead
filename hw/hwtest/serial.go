package hwtest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"pithings/hw"
)

// Serial is a serial port to test, at whose other end a device answers.
type Serial struct {
	// Device is what OpenSerial takes. No other program may have it.
	Device string
	// Missing is the name of a port that does not exist; "" skips that test.
	Missing string
	Opts    hw.SerialOpts
	// Answer is what the device sends at once for each Ask, and for nothing else.
	Ask, Answer []byte
	// Hold lets another program have the port until release is called. nil
	// skips that test.
	Hold func(t *testing.T) (release func())
	// Unplug takes the port away while it is open, and replug brings it back. nil skips
	// that test.
	Unplug func(t *testing.T) (replug func())
}

func (h Harness) serial(t *testing.T, p Serial) {
	open := func(t *testing.T, b hw.Board) hw.Serial {
		t.Helper()
		s, err := b.OpenSerial(p.Device, p.Opts)
		if err != nil {
			t.Fatal(err)
		}
		var once sync.Once
		t.Cleanup(func() { once.Do(func() { _ = s.Close() }) })
		return s
	}
	ask := func(t *testing.T, s hw.Serial) {
		t.Helper()
		if n, err := s.Write(p.Ask); n != len(p.Ask) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		if err := s.SetReadDeadline(time.Now().Add(h.Patience)); err != nil {
			t.Fatal(err)
		}
	}
	answered := func(t *testing.T, s hw.Serial) {
		t.Helper()
		ask(t, s)
		got := make([]byte, len(p.Answer))
		if n, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, p.Answer) {
			t.Errorf("the answer is % x (%v), want % x", got[:n], err, p.Answer)
		}
	}
	silent := func(t *testing.T, s hw.Serial) {
		t.Helper()
		if err := s.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Read(make([]byte, 64)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read without an answer: %d, %v; want %v", n, err, os.ErrDeadlineExceeded)
		}
	}
	// waits calls end while a Read waits without a deadline, and returns its error.
	waits := func(t *testing.T, s hw.Serial, end func()) (err error) {
		t.Helper()
		if err := s.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err = s.Read(make([]byte, 64))
		}()
		end()
		h.within(t, "a Read that waits ends", done)
		return err
	}

	h.names(t, p.Missing, func(b hw.Board) opener {
		return func(name string) (func(), error) {
			s, err := b.OpenSerial(name, p.Opts)
			return func() { _ = s.Close() }, err
		}
	})
	h.test(t, "answers", func(t *testing.T, b hw.Board) {
		s := open(t, b)
		if s.String() == "" {
			t.Error("String is empty")
		}
		silent(t, s)
		for range 3 {
			answered(t, s)
		}
		silent(t, s)
	})
	h.test(t, "flush drops what came", func(t *testing.T, b hw.Board) {
		s := open(t, b)
		ask(t, s)
		if n, err := s.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatalf("Read: %d, %v", n, err)
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		silent(t, s)
		answered(t, s)
	})
	h.test(t, "a deadline ends a read that waits", func(t *testing.T, b hw.Board) {
		s := open(t, b)
		err := waits(t, s, func() { _ = s.SetReadDeadline(time.Unix(1, 0)) })
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("it ends with %v, want %v", err, os.ErrDeadlineExceeded)
		}
		answered(t, s)
	})
	h.test(t, "close ends a read that waits", func(t *testing.T, b hw.Board) {
		s := open(t, b)
		if err := waits(t, s, func() { _ = s.Close() }); !errors.Is(err, os.ErrClosed) {
			t.Errorf("it ends with %v, want %v", err, os.ErrClosed)
		}
		if err := s.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		if _, err := s.Write(p.Ask); err == nil {
			t.Error("a closed port can be written")
		}
		answered(t, open(t, b))
	})
	h.test(t, "one program", func(t *testing.T, b hw.Board) {
		s := open(t, b)
		again, err := b.OpenSerial(p.Device, p.Opts)
		if err == nil {
			_ = again.Close()
		}
		refused(t, err, hw.ErrBusy, p.Device)
		answered(t, s)
	})
	h.test(t, "held by another program", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Hold != nil, "the harness knows no other program")
		release := p.Hold(t)
		_, err := b.OpenSerial(p.Device, p.Opts)
		release()
		refused(t, err, hw.ErrBusy, p.Device)
		answered(t, open(t, b))
	})
	h.test(t, "unplugged", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Unplug != nil, "the harness cannot unplug it")
		s := open(t, b)
		answered(t, s)
		var replug func()
		err := waits(t, s, func() { replug = p.Unplug(t) })
		refused(t, err, hw.ErrGone, p.Device)
		_ = s.Close()
		replug()
		answered(t, open(t, b))
	})
}
