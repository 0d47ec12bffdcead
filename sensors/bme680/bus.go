package bme680

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Failed transfers are repeated: long wires and sensors that share their supply
// with a motor or a radio lose one now and then. A bus that hangs needs the
// adapter's time-out each time, so there is a limit in time as well.
const (
	retries     = 3
	retryPause  = 5 * time.Millisecond
	retryWithin = time.Second
)

// busError is a transfer that failed for good.
type busError struct {
	op  string
	err error
}

func (e *busError) Error() string { return fmt.Sprintf("%s: %v", e.op, e.err) }
func (e *busError) Unwrap() error { return e.err }

// retryable reports whether err may go away when the chip is set up anew.
func retryable(err error) bool { return isBus(err) || isLost(err) }

func isBus(err error) bool {
	var b *busError
	return errors.As(err, &b)
}

func isLost(err error) bool {
	var l *lostError
	return errors.As(err, &l)
}

// read reads consecutive registers from reg on.
func (d *Dev) read(halt <-chan struct{}, reg byte, b []byte) error {
	if err := tx(&d.conn, halt, []byte{reg}, b); err != nil {
		return failed(fmt.Sprintf("reading register %#02x", reg), err)
	}
	return nil
}

// write writes pairs of a register and its value in one transfer (§6.2.1).
func (d *Dev) write(halt <-chan struct{}, pairs ...byte) error {
	if err := tx(&d.conn, halt, pairs, nil); err != nil {
		return failed(fmt.Sprintf("writing register %#02x", pairs[0]), err)
	}
	return nil
}

func failed(op string, err error) error {
	if errors.Is(err, ErrHalted) {
		return err
	}
	return &busError{op, err}
}

// tx makes one transfer with repetitions.
func tx(c *i2c.Dev, halt <-chan struct{}, w, r []byte) error {
	start := time.Now()
	for i := 0; ; i++ {
		err := c.Tx(w, r)
		if err == nil || i == retries || time.Since(start) > retryWithin {
			return err
		}
		if err := wait(halt, retryPause); err != nil {
			return err
		}
	}
}

// wait returns after t, or earlier with ErrHalted.
func wait(halt <-chan struct{}, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-halt:
		return ErrHalted
	}
}

// wrap names the chip's place and what to look at.
func (d *Dev) wrap(err error) error {
	return wrap(d.conn, err)
}

func wrap(c i2c.Dev, err error) error {
	hint := ""
	switch {
	case isBus(err):
		hint = "; check the sensor's wires and supply, and that `i2cdetect` shows it"
	case isLost(err):
		hint = "; check the sensor's supply (3.3 V without dips) and its wires, and that no other program uses it"
	}
	return fmt.Errorf("bme680: %s at %#02x: %w%s", c.Bus, c.Addr, err, hint)
}
