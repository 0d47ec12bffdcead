package modbus

import (
	"context"
	"io"
	"log"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	peer "github.com/simonvetter/modbus"

	"pithings/hw/mock"
)

// network is a board with a network only.
type network struct{ *mock.Board }

func (network) Dial(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// memory is what the peer's server has.
type memory struct {
	mu       sync.Mutex
	coils    [64]bool
	holdings [128]uint16
}

func (m *memory) HandleCoils(q *peer.CoilsRequest) ([]bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if int(q.Addr)+int(q.Quantity) > len(m.coils) {
		return nil, peer.ErrIllegalDataAddress
	}
	if q.IsWrite {
		copy(m.coils[q.Addr:], q.Args)
	}
	return m.coils[q.Addr : q.Addr+q.Quantity], nil
}

func (m *memory) HandleDiscreteInputs(*peer.DiscreteInputsRequest) ([]bool, error) {
	return nil, peer.ErrServerDeviceBusy
}

func (m *memory) HandleHoldingRegisters(q *peer.HoldingRegistersRequest) ([]uint16, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if int(q.Addr)+int(q.Quantity) > len(m.holdings) {
		return nil, peer.ErrIllegalDataAddress
	}
	if q.IsWrite {
		copy(m.holdings[q.Addr:], q.Args)
	}
	return m.holdings[q.Addr : q.Addr+q.Quantity], nil
}

func (m *memory) HandleInputRegisters(*peer.InputRegistersRequest) ([]uint16, error) {
	return nil, peer.ErrIllegalFunction
}

// With server and client of another implementation (github.com/simonvetter/modbus), over TCP:
// what its client writes we read, and what we write it reads, in all orders of bytes.
func TestWithAnotherImplementation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "tcp://" + l.Addr().String()
	l.Close()
	quiet := log.New(io.Discard, "", 0)
	server, err := peer.NewServer(&peer.ServerConfiguration{URL: at, Logger: quiet}, new(memory))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	client, err := peer.NewClient(&peer.ClientConfiguration{URL: at, Timeout: time.Minute, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Open(); err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	for _, order := range []struct {
		Order
		bytes peer.Endianness
		words peer.WordOrder
	}{
		{ABCD, peer.BIG_ENDIAN, peer.HIGH_WORD_FIRST}, {CDAB, peer.BIG_ENDIAN, peer.LOW_WORD_FIRST},
		{BADC, peer.LITTLE_ENDIAN, peer.HIGH_WORD_FIRST}, {DCBA, peer.LITTLE_ENDIAN, peer.LOW_WORD_FIRST},
	} {
		t.Run(string(order.Order), func(t *testing.T) {
			must(client.SetEncoding(order.bytes, order.words))
			must(client.WriteRegister(0, 0xfff0))
			must(client.WriteUint32(10, 0xfffffff0))
			must(client.WriteFloat32(20, -21.3))
			must(client.WriteFloat64(30, 1e-300))
			must(client.WriteUint64(40, 0x7fffffffffffffff))
			must(client.WriteCoils(0, []bool{true, false, true}))
			registers := values(t, "holding:0 int16", "holding:10 int32", "holding:20 float32", "holding:30 float64", "holding:40 uint64", "coil:0", "coil:1", "coil:2", "holding:127", "holding:128")
			for i := range registers {
				registers[i].Order = order.Order
			}
			o := DefaultOpts
			o.Timeout = time.Minute
			var lines Lines
			d := New(&lines, network{}, Port{Device: at}, o, registers)
			must(d.Open(t.Context()))
			defer d.Close()
			got, err := d.Read(t.Context())
			want := []any{int64(-16), int64(-16), -21.3, 1e-300, int64(0x7fffffffffffffff), true, false, true, int64(0), nil}
			if !reflect.DeepEqual(got, want) || err == nil || !strings.Contains(err.Error(), "illegal data address") {
				t.Errorf("read %v (%v), want %v", got, err, want)
			}
			for name, v := range map[string]any{"v0": -2.0, "v1": -3.0, "v2": 0.5, "v3": -0.25, "v4": 5e9, "v5": false, "v6": true} {
				must(d.Write(t.Context(), name, v))
			}
			a, err := client.ReadRegister(0, peer.HOLDING_REGISTER)
			must(err)
			b, err := client.ReadUint32(10, peer.HOLDING_REGISTER)
			must(err)
			c, err := client.ReadFloat32(20, peer.HOLDING_REGISTER)
			must(err)
			e, err := client.ReadFloat64(30, peer.HOLDING_REGISTER)
			must(err)
			f, err := client.ReadUint64(40, peer.HOLDING_REGISTER)
			must(err)
			coils, err := client.ReadCoils(0, 3)
			must(err)
			if int16(a) != -2 || int32(b) != -3 || c != 0.5 || e != -0.25 || f != 5e9 || !reflect.DeepEqual(coils, []bool{false, true, true}) {
				t.Errorf("the peer reads %d, %d, %v, %v, %d, %v", int16(a), int32(b), c, e, f, coils)
			}
		})
	}
}
