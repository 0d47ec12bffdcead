package hw

import (
	"io"
	"time"
)

// Parity is how a serial port guards each character.
type Parity uint8

// Parities of a serial port.
const (
	NoParity Parity = iota
	EvenParity
	OddParity
)

// SerialOpts defines how a serial port is opened. A character has 8 data bits.
type SerialOpts struct {
	Speed    int // in bits per second
	Parity   Parity
	StopBits int // 1 or 2
}

// Serial is an open serial port. One goroutine reads and one writes; SetReadDeadline, Flush
// and Close may be called from any other.
//
// ErrGone of Read and Write says that the port was unplugged: close it and open it again.
type Serial interface {
	// String names the port for a log line.
	String() string
	// Read waits for at least one byte. What comes together may arrive in several reads.
	// os.ErrDeadlineExceeded says that the deadline came first.
	io.Reader
	// SetReadDeadline ends reads at that time, those that wait already, too. The zero
	// time is never.
	SetReadDeadline(t time.Time) error
	// Write returns when the kernel has the bytes, which may be before they are sent.
	io.Writer
	// Flush drops what was received and not read yet.
	Flush() error
	// Close gives the port back, and ends a Read that waits. It may be called twice.
	io.Closer
}
