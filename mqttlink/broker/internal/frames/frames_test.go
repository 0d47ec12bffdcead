package frames

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

func str(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

func varint(n int) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func packet(first byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(append([]byte{first}, varint(len(body))...), body...)
}

func connectPacket(level byte) []byte {
	return packet(0x10, str("MQTT"), []byte{level, 2, 0, 60}, str("x"))
}

func TestPacketsWithinTheLimitsPass(t *testing.T) {
	stream := bytes.Join([][]byte{
		connectPacket(5),
		packet(0x32, str("topic"), []byte{0, 1}, varint(300), make([]byte, 300), make([]byte, 100_000)),
		packet(0x30, str(""), []byte{0}),
		{0xc0, 0},
		packet(0x82, make([]byte, MaxOther)),
		packet(0x30, str("t"), varint(MaxProperties), make([]byte, MaxProperties)),
	}, nil)
	for _, chunk := range []int{1, 7, 4096, len(stream)} {
		g := Guard{MaxPublish: 200_000}
		for rest := stream; len(rest) > 0; {
			n := min(chunk, len(rest))
			if _, err := g.Feed(rest[:n]); err != nil {
				t.Fatalf("%d bytes at a time, %d left: %v", chunk, len(rest), err)
			}
			rest = rest[n:]
		}
		if g.Packets != 6 || !g.Whole() {
			t.Errorf("%d bytes at a time: %d packets, whole %v", chunk, g.Packets, g.Whole())
		}
	}
}

func TestSizeOfAPacketIsKnownWithItsHeader(t *testing.T) {
	g := Guard{MaxPublish: 1 << 20}
	p := packet(0x30, str("t"), make([]byte, 1_000_000))
	if size, err := g.Feed(append(connectPacket(4), p[:4]...)); err != nil || size != len(p)-4 {
		t.Errorf("%d, %v after the header of %d bytes", size, err, len(p)-4)
	}
	if size, err := g.Feed(p[4:]); err != nil || size != 0 {
		t.Errorf("%d, %v behind the packet", size, err)
	}
}

func TestWhatIsTooLargeIsRefusedAtItsHeader(t *testing.T) {
	for name, row := range map[string]struct {
		stream []byte
		want   error
	}{
		"publish":              {append(connectPacket(4), 0x30, 0x81, 0x80, 0x40), ErrTooLarge}, // 1 MiB and a byte
		"subscribe":            {append(connectPacket(4), 0x82, 0x81, 0x80, 4), ErrTooLarge},    // 64 KiB and a byte
		"CONNECT":              {[]byte{0x10, 0x81, 0x80, 4}, ErrTooLarge},
		"length of five bytes": {append(connectPacket(4), 0x30, 0xff, 0xff, 0xff, 0xff, 1), ErrNoMQTT},
		"PINGREQ with a body":  {append(connectPacket(4), 0xc0, 2, 0, 0), ErrNoMQTT},
		"no CONNECT":           {[]byte{0x30, 0}, ErrNoMQTT},
		"HTTP":                 {[]byte("GET / HTTP/1.1\r\n"), ErrNoMQTT},
		"TLS":                  {[]byte{0x16, 3, 1, 2}, ErrNoMQTT},
		"properties of MQTT 5": {append(connectPacket(5), packet(0x30, str("t"), varint(MaxProperties+1), make([]byte, 10))...), ErrTooLarge},
		"properties, QoS 1":    {append(connectPacket(5), packet(0x32, str("t"), []byte{0, 1}, varint(MaxProperties+1))...), ErrTooLarge},
		"properties' length":   {append(connectPacket(5), packet(0x30, str("t"), []byte{0x80, 0x80, 0x80, 0x80, 0x80})...), ErrNoMQTT},
		"payload, not MQTT 5":  {append(connectPacket(4), packet(0x30, str("t"), varint(MaxProperties+1))...), nil},
		"payload that is none": {append(connectPacket(5), packet(0x30, str(strings.Repeat("t", 70)))...), nil},
	} {
		g := Guard{MaxPublish: 1 << 20}
		if _, err := g.Feed(row.stream); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
}

// However a stream is cut, the guard says the same.
func FuzzGuard(f *testing.F) {
	f.Add(append(connectPacket(5), packet(0x32, str("t"), []byte{0, 1, 0}, []byte("x"))...), uint8(3))
	f.Add(append(connectPacket(4), 0x82, 0xff, 0xff, 0xff, 0x7f), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, chunk uint8) {
		whole, parts := Guard{MaxPublish: 1000}, Guard{MaxPublish: 1000}
		size, err := whole.Feed(stream)
		var size2 int
		var err2 error
		for rest := stream; len(rest) > 0 && err2 == nil; {
			n := min(int(chunk)+1, len(rest))
			size2, err2 = parts.Feed(rest[:n])
			rest = rest[n:]
		}
		if (err == nil) != (err2 == nil) || err == nil && (size != size2 || whole != parts) {
			t.Errorf("whole: %d, %v; in parts: %d, %v", size, err, size2, err2)
		}
		if size > max(1000, MaxOther) || whole.left < 0 {
			t.Errorf("size %d, left %d", size, whole.left)
		}
	})
}
