package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"pithings/hw"
)

// Port is where devices are, and how they are reached.
type Port struct {
	// Device is a serial port ("/dev/ttyUSB0", RTU), "tcp://HOST:PORT" (Modbus TCP; 502
	// without a port), or "rtu+tcp://HOST:PORT" for a serial port behind a converter that
	// passes RTU on.
	Device string
	Serial hw.SerialOpts // of a serial port
}

// The schemes of devices that are on the network.
const (
	schemeTCP = "tcp"
	schemeRTU = "rtu+tcp"
)

// defaultPort is the port of Modbus TCP.
const defaultPort = "502"

// Check returns what is wrong with the name of the device.
func (p *Port) Check() error {
	_, _, err := p.split()
	return err
}

// split returns the scheme, "" for a serial port, and what the board is to open.
func (p *Port) split() (scheme, name string, err error) {
	scheme, name, network := strings.Cut(p.Device, "://")
	if !network {
		return "", p.Device, nil
	}
	switch scheme {
	case schemeTCP:
		if _, _, err := net.SplitHostPort(name); err != nil && strings.Contains(err.Error(), "missing port") {
			name = net.JoinHostPort(strings.Trim(name, "[]"), defaultPort)
		}
	case schemeRTU:
	default:
		return "", "", fmt.Errorf("%q is none of %s:// and %s://", scheme+"://", schemeTCP, schemeRTU)
	}
	host, port, err := net.SplitHostPort(name)
	if err != nil || host == "" || port == "" || strings.ContainsAny(name, "/?@ ") {
		return "", "", fmt.Errorf("write it as %s://HOST:PORT, without anything behind", scheme)
	}
	return scheme, name, nil
}

// exchanger sends a request to a unit and returns the answer's function code and data. Only
// what ctx and wait bound is waited for.
type exchanger interface {
	exchange(ctx context.Context, unit byte, q *request, wait time.Duration) ([]byte, error)
	SetReadDeadline(time.Time) error
	Close() error
}

// lost is an error after which a connection is of no use.
type lost struct{ error }

func (e *lost) Unwrap() error { return e.error }

// usable reports whether a connection can be used again after an error.
func usable(err error) bool {
	var l *lost
	var refused Exception
	switch {
	case errors.As(err, &l):
		return false
	case err == nil, errors.As(err, &refused), errors.Is(err, ErrSilent), errors.Is(err, ErrFrame), errors.Is(err, ErrOtherUnit):
		return true
	}
	return false
}

// open opens the port, and returns the silence before each of its frames.
func (p *Port) open(ctx context.Context, board hw.Board) (exchanger, time.Duration, error) {
	scheme, name, err := p.split()
	if err != nil {
		return nil, 0, err
	}
	if scheme == "" {
		port, err := board.OpenSerial(name, p.Serial)
		if err != nil {
			return nil, 0, err
		}
		character, silence := p.times()
		return &rtu{stream: port, flush: port.Flush, character: character, late: map[uint16]late{}}, silence, nil
	}
	conn, err := board.Dial(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	if scheme == schemeTCP {
		return &tcp{Conn: conn}, 0, nil
	}
	return &rtu{stream: conn, flush: drain(conn), late: map[uint16]late{}}, 0, nil
}

// times returns how long a character takes on the wire, 11 bits as a rule, and the silence
// between two frames: 3.5 characters, and 1.75 ms above 19,200 bits per second (Serial Line
// V1.02, section 2.5.1.1).
func (p *Port) times() (character, silence time.Duration) {
	bits := 1 + 8 + p.Serial.StopBits
	if p.Serial.Parity != hw.NoParity {
		bits++
	}
	character = time.Duration(bits) * time.Second / time.Duration(max(p.Serial.Speed, 1))
	if p.Serial.Speed > 19200 {
		return character, 1750 * time.Microsecond
	}
	return character, character * 7 / 2
}
