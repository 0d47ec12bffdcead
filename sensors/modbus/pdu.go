package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Why a request failed. Errors wrap one of these, an [Exception], or what the board said of
// the port or the network.
var (
	// ErrSilent: no answer came in time.
	ErrSilent = errors.New("no answer")
	// ErrFrame: what came is no answer to the request.
	ErrFrame = errors.New("no valid answer")
	// ErrOtherUnit: another unit answered.
	ErrOtherUnit = errors.New("another unit answered")
)

// Exception is the refusal of a request by the device (Application Protocol, section 7).
type Exception byte

// The exceptions that this package decides by.
const (
	IllegalFunction Exception = 1
	IllegalAddress  Exception = 2
	IllegalValue    Exception = 3
)

var exceptions = map[Exception]string{
	IllegalFunction: "illegal function: it cannot read or write this kind of data",
	IllegalAddress:  "illegal data address: it has no such register, or none of that many in a row",
	IllegalValue:    "illegal data value",
	4:               "server device failure", 5: "acknowledge: it will take long", 6: "server device busy", 8: "memory parity error",
	10: "gateway path unavailable", 11: "gateway target device failed to respond",
}

// Error implements error.
func (e Exception) Error() string {
	if text, known := exceptions[e]; known {
		return fmt.Sprintf("the device refuses it with exception %d, %s", byte(e), text)
	}
	return fmt.Sprintf("the device refuses it with exception %d", byte(e))
}

// The limits of one request (sections 6.1, 6.3, 6.12).
const (
	maxRegisters = 125
	maxBits      = 2000
	maxWrite     = 123
)

// The function codes (section 6).
const (
	writeCoil      = 5
	writeRegister  = 6
	writeRegisters = 16
)

var reads = [...]byte{Coil: 1, Discrete: 2, Holding: 3, Input: 4}

// request is a function code with its data, and what its answer looks like.
type request struct {
	pdu []byte
	// data is the number of bytes behind the count in the answer to a read. 0: the answer
	// to a write, which repeats the first five bytes of the request.
	data int
}

// answer is the length of the function code and data of the answer.
func (q *request) answer() int {
	if q.data > 0 {
		return 2 + q.data
	}
	return 5
}

// readOf requests count registers or bits.
func readOf(a Address, count int) *request {
	pdu := binary.BigEndian.AppendUint16([]byte{reads[a.Table]}, a.Number)
	q := &request{binary.BigEndian.AppendUint16(pdu, uint16(count)), 2 * count}
	if a.Table.bits() {
		q.data = (count + 7) / 8
	}
	return q
}

// writeOf requests that registers, or a coil, get what is in b. One register is written by
// the function for one, or, if several is set, by that for several.
func writeOf(a Address, b []byte, several bool) *request {
	code := byte(writeRegisters)
	switch {
	case a.Table == Coil:
		code = writeCoil
		b = []byte{0xff * b[1], 0}
	case len(b) == 2 && !several:
		code = writeRegister
	}
	pdu := binary.BigEndian.AppendUint16([]byte{code}, a.Number)
	if code == writeRegisters {
		pdu = append(binary.BigEndian.AppendUint16(pdu, uint16(len(b)/2)), byte(len(b)))
	}
	return &request{pdu: append(pdu, b...)}
}

// begins reports whether b can be the beginning of the answer, or of an exception, and how
// long that is.
func (q *request) begins(b []byte) (length int, ok bool) {
	switch {
	case b[0] == q.pdu[0]|0x80:
		return 2, true
	case b[0] != q.pdu[0] || q.data > 0 && len(b) > 1 && int(b[1]) != q.data:
		return 0, false
	}
	return q.answer(), true
}

// check returns the data of an answer.
func (q *request) check(pdu []byte) ([]byte, error) {
	switch {
	case len(pdu) == 2 && pdu[0] == q.pdu[0]|0x80:
		return nil, Exception(pdu[1])
	case len(pdu) != q.answer() || pdu[0] != q.pdu[0]:
		return nil, fmt.Errorf("%w: %d bytes with function %d to a request with function %d", ErrFrame, len(pdu), pdu[0], q.pdu[0])
	case q.data > 0 && int(pdu[1]) != q.data:
		return nil, fmt.Errorf("%w: it counts %d bytes of data, and %d were asked for", ErrFrame, pdu[1], q.data)
	case q.data > 0:
		return pdu[2:], nil
	case string(pdu) != string(q.pdu[:5]):
		return nil, fmt.Errorf("%w: it repeats % x, and % x was written", ErrFrame, pdu, q.pdu[:5])
	}
	return nil, nil
}
