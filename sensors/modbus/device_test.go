package modbus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/hw"
	"pithings/hw/mock"
	"pithings/pulse"
)

// ports are a simulated device behind a serial port, behind a converter that passes RTU on,
// and on the network.
var ports = map[string]Port{
	"RTU":          {Device: "/dev/ttyUSB0", Serial: hw.SerialOpts{Speed: 9600, Parity: hw.EvenParity, StopBits: 1}},
	"RTU over TCP": {Device: "rtu+tcp://meter:4001"},
	"TCP":          {Device: "tcp://meter"},
}

// field is a simulated board with converters on its network, and with ports.
type field struct {
	*testing.T
	*mock.Board
	Lines
	port   Port
	device *mock.Modbus // behind the port
}

// inField runs a test in a bubble for each way to a device.
func inField(t *testing.T, test func(t *testing.T, f *field)) {
	for name, port := range ports {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &field{T: t, Board: mock.New(mock.Options{}), port: port}
				defer f.Board.Close()
				_, at, err := port.split()
				if err != nil {
					t.Fatal(err)
				}
				f.device = f.Modbus(at)
				test(t, f)
				if n := len(f.Lines.open); n > 0 {
					t.Errorf("%d ports are still in use", n)
				}
				if f.device.InUse() {
					t.Error("the port is still open")
				}
			})
		})
	}
}

// String is both embedded ones'.
func (f *field) String() string { return "field" }

// Dial connects to a converter, if the address is one's.
func (f *field) Dial(ctx context.Context, address string) (net.Conn, error) {
	if !strings.HasSuffix(address, ":4001") {
		return f.Board.Dial(ctx, address)
	}
	s, err := f.OpenSerial(address, hw.SerialOpts{Speed: 9600, StopBits: 1})
	if err != nil {
		return nil, err
	}
	return converter{s}, nil
}

// converter is a serial port as a connection.
type converter struct{ hw.Serial }

func (converter) LocalAddr() net.Addr                { return nil }
func (converter) RemoteAddr() net.Addr               { return nil }
func (c converter) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (converter) SetWriteDeadline(t time.Time) error { return nil }

// open returns an open device with registers; it is closed when the test ends.
func (f *field) open(o Opts, registers ...string) *Device {
	f.Helper()
	d := New(&f.Lines, f, f.port, o, values(f.T, registers...))
	if err := d.Open(f.Context()); err != nil {
		f.Fatal(err)
	}
	return d
}

// reads compares what a device reads; an error is compared with want, nil for none.
func (f *field) reads(d *Device, wantErr error, want ...any) {
	f.Helper()
	got, err := d.Read(f.Context())
	if !errors.Is(err, wantErr) || err == nil && wantErr != nil {
		f.Errorf("Read: %v, want %v", err, wantErr)
	}
	if !reflect.DeepEqual(got, want) {
		f.Errorf("Read: %v, want %v (%v)", got, want, err)
	}
}

func TestReadsAndWrites(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		o := DefaultOpts
		o.Unit = 17
		d := f.open(o, "40001 int16", "40101", "40102 uint32", "30100", "00010", "10001", "holding:200 float64", "holding:210 string")
		defer d.Close()
		f.device.Fault(func(a *mock.Answer) {
			if a.Unit != 17 {
				t.Errorf("unit %d is asked", a.Unit)
			}
		})
		read, err := d.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := []any{int64(215), int64(100), int64(101<<16 | 102), int64(99), false}; !reflect.DeepEqual(read[:5], want) {
			t.Errorf("%v, want %v", read[:5], want)
		}
		written := map[string]any{"v0": -40.0, "v1": 65535.0, "v2": 4294967295.0, "v4": true, "v6": -0.1, "v7": "ab"}
		for name, v := range written {
			if err := d.Check(name, v); err != nil {
				t.Errorf("Check %s: %v", name, err)
			}
			if err := d.Write(t.Context(), name, v); err != nil {
				t.Errorf("Write %s: %v", name, err)
			}
		}
		read, err = d.Read(t.Context())
		if want := []any{int64(-40), int64(65535), int64(4294967295), int64(99), true, read[5], -0.1, "ab"}; err != nil || !reflect.DeepEqual(read, want) {
			t.Errorf("%v, want %v (%v)", read, want, err)
		}
		if f.device.Holding(17, 100) != 65535 || !f.device.Coil(17, 9) || f.device.Coil(17, 8) || f.device.Coil(17, 10) {
			t.Error("something else was written")
		}
		if err := d.Write(t.Context(), "v4", false); err != nil || f.device.Coil(17, 9) {
			t.Errorf("the coil stays on: %v", err)
		}
		for name, want := range map[string]string{"v3": "not writable", "v5": "not writable", "v9": "no such quantity"} {
			if err := d.Write(t.Context(), name, 1.0); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Write %s: %v, want %q", name, err, want)
			}
		}
		if err := d.Write(t.Context(), "v1", -1.0); err == nil || d.Check("v1", -1.0) == nil {
			t.Error("-1 was written to a uint16")
		}
	})
}

// A bit is written without the others of its register, in whatever order its bytes are.
func TestWritesBits(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		var registers []Register
		for i, order := range []Order{ABCD, DCBA} {
			for bit := range 16 {
				r := register(func(r *Register) {
					r.Name, r.Address, r.Bit, r.Order = fmt.Sprintf("r%db%d", i, bit), Address{Holding, uint16(20 + i)}, bit, order
				})
				if err := r.Check(); err != nil {
					t.Fatal(err)
				}
				registers = append(registers, r)
			}
		}
		d := New(&f.Lines, f, f.port, DefaultOpts, registers)
		if err := d.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		want, err := d.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range rand.New(rand.NewPCG(3, 4)).Perm(len(registers)) {
			want[i] = want[i] == false
			if err := d.Write(t.Context(), registers[i].Name, want[i]); err != nil {
				t.Fatal(err)
			}
			f.reads(d, nil, want...)
		}
	})
}

// A device without function 6 has a single register written by function 16.
func TestWritesBySeveral(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		f.device.Fault(func(a *mock.Answer) {
			if a.Asked[0] == writeRegister {
				mock.Exception(1)(a)
			}
		})
		d := f.open(DefaultOpts, "40051")
		defer d.Close()
		if err := d.Write(t.Context(), "v0", 7.0); !errors.Is(err, IllegalFunction) {
			t.Errorf("by function 6: %v", err)
		}
		o := DefaultOpts
		o.Several = true
		several := f.open(o, "40051")
		defer several.Close()
		if err := several.Write(t.Context(), "v0", 8.0); err != nil || f.device.Holding(1, 50) != 8 {
			t.Errorf("by function 16: %v, %d", err, f.device.Holding(1, 50))
		}
	})
}

// Blocks that were divided are whole again when the device has been away, or is opened again.
func TestPlansAgain(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		d := f.open(DefaultOpts, "40001", "40002", "40003")
		defer d.Close()
		asked := 0
		refuse := func(a *mock.Answer) {
			if asked++; a.Asked[4] > 1 {
				mock.Exception(2)(a)
			}
		}
		read := func(fault func(*mock.Answer), want int) {
			t.Helper()
			asked = 0
			f.device.Fault(fault)
			if _, err := d.Read(t.Context()); err != nil || asked != want {
				t.Errorf("%d requests, want %d (%v)", asked, want, err)
			}
		}
		count := func(*mock.Answer) { asked++ }
		read(refuse, 5)
		read(count, 3) // divided
		if err := d.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		read(count, 1)
		read(refuse, 5)
		f.device.Fault(mock.NoAnswer)
		if _, err := d.Read(t.Context()); err == nil {
			t.Error("no error without an answer")
		}
		time.Sleep(longestRest)
		read(count, 1)
	})
}

// The faults of devices: a reading fails, with its reason, while another unit on the same port
// works as before, and heals when the device does.
func TestFaults(t *testing.T) {
	once := func(fault func(*mock.Answer)) func(*mock.Answer) {
		n := 0
		return func(a *mock.Answer) {
			if n++; n == 1 {
				fault(a)
			}
		}
	}
	for name, row := range map[string]struct {
		fault func(*mock.Answer)
		want  error // nil: the device is repeated, and answers
	}{
		"silent":            {mock.NoAnswer, ErrSilent},
		"slow":              {mock.LateAnswer(1500 * time.Millisecond), ErrSilent},
		"another unit":      {mock.OtherUnit, ErrOtherUnit},
		"exception":         {mock.Exception(4), Exception(4)},
		"unknown exception": {mock.Exception(0x77), Exception(0x77)},
		"garbage":           {mock.Noise, ErrFrame},
		"endless garbage":   {func(a *mock.Answer) { a.Raw = []byte(strings.Repeat("\x00\xff\x55", 3000)) }, ErrFrame},
		"too few registers": {func(a *mock.Answer) { a.PDU = a.PDU[:len(a.PDU)-2]; a.PDU[1] -= 2 }, ErrFrame},
		"wrong count":       {func(a *mock.Answer) { a.PDU[1] += 2 }, ErrFrame},
		"another function":  {func(a *mock.Answer) { a.PDU[0]++ }, ErrFrame},
		"half a frame":      {func(a *mock.Answer) { a.Raw = []byte{a.Unit, a.PDU[0], a.PDU[1]} }, nil},
		"closes":            {mock.HangUp, nil},
		"silent once":       {once(mock.NoAnswer), nil},
		"garbage once":      {once(mock.Noise), nil},
		"closes once":       {once(mock.HangUp), nil},
	} {
		t.Run(name, func(t *testing.T) {
			inField(t, func(t *testing.T, f *field) {
				good := DefaultOpts
				good.Unit = 2
				other := f.open(good, "40101")
				defer other.Close()
				d := f.open(DefaultOpts, "40101 uint32", "40103")
				defer d.Close()
				f.reads(d, nil, int64(100<<16|101), int64(102))
				f.device.Fault(func(a *mock.Answer) {
					if a.Unit == 1 {
						row.fault(a)
					}
				})
				got, err := d.Read(t.Context())
				always := row.want != nil || name == "half a frame" || name == "closes"
				if always && (err == nil || !reflect.DeepEqual(got, []any{nil, nil})) {
					t.Errorf("Read: %v, %v; want an error", got, err)
				}
				if row.want != nil && !errors.Is(err, row.want) && !strings.Contains(fmt.Sprint(err), "refuses") && !lostOf(err) {
					t.Errorf("Read: %v, want %v", err, row.want)
				}
				if !always {
					if err != nil || !reflect.DeepEqual(got, []any{int64(100<<16 | 101), int64(102)}) {
						t.Errorf("Read, with a second try: %v, %v", got, err)
					}
				}
				for range 10 { // whatever is left of what the first was sent
					f.reads(other, nil, int64(100))
				}
				if always {
					for range 20 {
						time.Sleep(time.Second)
						if got, err := d.Read(t.Context()); err == nil {
							t.Errorf("Read: %v without an error", got)
						}
						f.reads(other, nil, int64(100))
					}
				}
				f.device.Fault(nil)
				time.Sleep(longestRest)
				f.reads(d, nil, int64(100<<16|101), int64(102))
			})
		})
	}
}

// Noise, the echo of an adapter, and frames of others before the answer do not hide it
// (Serial Line V1.02, section 2.4.1).
func TestOtherBytesBeforeTheAnswer(t *testing.T) {
	frame := func(unit byte, pdu []byte) []byte {
		f := append([]byte{unit}, pdu...)
		sum := crc(f)
		return append(f, byte(sum), byte(sum>>8))
	}
	for name, before := range map[string]func(a *mock.Answer) []byte{
		"noise":             func(*mock.Answer) []byte { return []byte{0xff, 0, 1, 3, 2} },
		"echo":              func(a *mock.Answer) []byte { return frame(1, a.Asked) },
		"another unit":      func(a *mock.Answer) []byte { return frame(9, a.PDU) },
		"a broken answer":   func(a *mock.Answer) []byte { return append(frame(1, a.PDU)[:5], 0xaa) },
		"much of all these": func(a *mock.Answer) []byte { return []byte(strings.Repeat(string(frame(9, a.PDU))+"\xff", 60)) },
	} {
		t.Run(name, func(t *testing.T) {
			inField(t, func(t *testing.T, f *field) {
				if f.port.Device == ports["TCP"].Device {
					return // its frames have lengths
				}
				f.device.Fault(func(a *mock.Answer) { a.Raw = append(before(a), frame(a.Unit, a.PDU)...) })
				o := DefaultOpts
				o.Retries = 0
				d := f.open(o, "40101 uint32", "40103")
				defer d.Close()
				for range 3 {
					f.reads(d, nil, int64(100<<16|101), int64(102))
				}
			})
		})
	}
}

// lostOf reports whether an error is that of a connection that was lost.
func lostOf(err error) bool {
	var l *lost
	return errors.As(err, &l)
}

// The port is unplugged, or the network's cable.
func TestUnplugged(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		d := f.open(DefaultOpts, "40101")
		defer d.Close()
		f.reads(d, nil, int64(100))
		f.device.Unplug()
		if got, err := d.Read(t.Context()); err == nil || got[0] != nil {
			t.Errorf("Read: %v, %v", got, err)
		}
		for range 5 {
			time.Sleep(10 * time.Second)
			f.reads(d, hw.ErrNotFound, nil)
		}
		f.device.Replug()
		time.Sleep(longestRest)
		f.reads(d, nil, int64(100))
	})
}

// An answer that comes after its time-out is never taken for that to another request, which
// asks for as many registers of the same unit.
func TestLateAnswers(t *testing.T) {
	for retries, delay := range []time.Duration{1010 * time.Millisecond, 1400 * time.Millisecond, 1999 * time.Millisecond} {
		t.Run(fmt.Sprintf("%v, %d retries", delay, retries), func(t *testing.T) {
			inField(t, func(t *testing.T, f *field) {
				o := DefaultOpts
				o.Retries = retries
				var devices []*Device
				for _, address := range []string{"40101", "40201", "40301"} {
					d := f.open(o, address)
					defer d.Close()
					devices = append(devices, d)
				}
				n := 0
				f.device.Fault(func(a *mock.Answer) {
					if n++; n%2 == 1 {
						mock.LateAnswer(delay)(a)
					}
				})
				right := 0
				for range 60 {
					for i, d := range devices {
						got, err := d.Read(t.Context())
						if err == nil {
							right++
						}
						if want := int64(100 * (i + 1)); err == nil && got[0] != want {
							t.Fatalf("Read: %v, want %d", got, want)
						}
					}
					time.Sleep(time.Second)
				}
				if right < 10 {
					t.Errorf("only %d readings succeeded", right)
				}
			})
		})
	}
}

// Registers that the device does not have cost their own values only.
func TestRegistersThatAreNotThere(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		d := f.open(DefaultOpts, "holding:9996", "holding:9997", "holding:9998 float32", "holding:10000", "holding:10001", "input:5")
		defer d.Close()
		for range 3 {
			got, err := d.Read(t.Context())
			if err == nil || !strings.Contains(err.Error(), "holding:0x2710: the device refuses it with exception 2, illegal data address") {
				t.Errorf("Read: %v", err)
			}
			if got[0] != int64(9996) || got[1] != int64(9997) || got[2] == nil || got[3] != nil || got[4] != nil || got[5] == nil {
				t.Errorf("Read: %v", got)
			}
		}
		asked := 0
		f.device.Fault(func(*mock.Answer) { asked++ })
		if _, err := d.Read(t.Context()); err == nil || asked > 5 {
			t.Errorf("%d requests for six values: the division is not kept", asked)
		}
	})
}

// A value that is not plausible is none, and the others are not concerned.
func TestImplausible(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		registers := values(t, "40101", "40201")
		registers[1].Min, registers[1].Max = 0, 199
		d := New(&f.Lines, f, f.port, DefaultOpts, registers)
		if err := d.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		got, err := d.Read(t.Context())
		if err == nil || !strings.Contains(err.Error(), "not plausible: v1") || !reflect.DeepEqual(got, []any{int64(100), nil}) {
			t.Errorf("Read: %v, %v", got, err)
		}
	})
}

// A unit that does not answer leaves the port to the others for most of the time.
func TestSilentUnitOnASharedPort(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		f.device.Fault(func(a *mock.Answer) {
			if a.Unit == 1 {
				a.PDU = nil
			}
		})
		d := f.open(DefaultOpts, "40101", "40201", "40301")
		defer d.Close()
		o := DefaultOpts
		o.Unit = 2
		other := f.open(o, "40101")
		defer other.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() { // as a thing with an interval of 1 s
			for tick := time.NewTicker(time.Second); ctx.Err() == nil; <-tick.C {
				_, _ = d.Read(ctx)
			}
		})
		var spent time.Duration
		for range 600 {
			time.Sleep(time.Second)
			begin := time.Now()
			f.reads(other, nil, int64(100))
			spent += time.Since(begin)
		}
		cancel()
		wait.Wait()
		if spent > 150*time.Second {
			t.Errorf("the other unit waited for %v of 10 minutes", spent)
		}
	})
}

// Who is asked to end does not wait for an answer.
func TestReadEndsWithItsContext(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		f.device.Fault(mock.NoAnswer)
		o := DefaultOpts
		o.Timeout = time.Hour
		d := f.open(o, "40101")
		defer d.Close()
		ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, errors.New("enough"))
		defer cancel()
		begin := time.Now()
		if _, err := d.Read(ctx); fmt.Sprint(err) != "enough" || time.Since(begin) != 3*time.Second {
			t.Errorf("Read: %v after %v", err, time.Since(begin))
		}
		if err := d.Write(ctx, "v0", 1.0); fmt.Sprint(err) == "<nil>" {
			t.Error("written after the end")
		}
		f.device.Fault(nil)
		f.reads(d, nil, int64(100)) // the port is as before
	})
}

// A closed device is an error, and opens again.
func TestClosed(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		d := f.open(DefaultOpts, "40101")
		d.Close()
		d.Close()
		if _, err := d.Read(t.Context()); !errors.Is(err, errClosed) {
			t.Errorf("Read: %v", err)
		}
		if err := d.Write(t.Context(), "v0", 1.0); !errors.Is(err, errClosed) {
			t.Errorf("Write: %v", err)
		}
		again := f.open(DefaultOpts, "40101")
		defer again.Close()
		f.reads(again, nil, int64(100))
	})
}

// A request that is to be repeated does not open the port of a device that was closed
// meanwhile.
func TestClosedDuringARequest(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		d := f.open(DefaultOpts, "40101")
		f.device.Fault(mock.NoAnswer)
		done := make(chan error)
		go func() { done <- d.Write(t.Context(), "v0", 1.0) }()
		synctest.Wait()
		d.Close()
		if err := <-done; !errors.Is(err, errClosed) || f.device.InUse() {
			t.Errorf("Write: %v; the port is open: %v", err, f.device.InUse())
		}
	})
}

// Requests of all devices on a port are made one after the other, in whatever goroutine, and
// between two of them the line is silent for as long as the protocol wants.
func TestSharedPort(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		o := DefaultOpts
		o.Pause = 20 * time.Millisecond
		var last time.Time
		f.device.Fault(func(a *mock.Answer) {
			if gap := time.Since(last); gap < o.Pause {
				t.Errorf("a request %v after the last", gap)
			}
			last = time.Now()
		})
		var wait sync.WaitGroup
		var devices []*Device
		for i := range 8 {
			o.Unit = byte(i + 1)
			devices = append(devices, f.open(o, fmt.Sprintf("holding:%d", 100+i), fmt.Sprintf("holding:%d", 300+i)))
		}
		for i, d := range devices {
			wait.Go(func() {
				for range 20 {
					f.reads(d, nil, int64(100+i), int64(300+i))
				}
			})
		}
		wait.Wait()
		for _, d := range devices {
			d.Close()
		}
	})
}

func TestPorts(t *testing.T) {
	for device, want := range map[string]string{
		"/dev/ttyUSB0": " /dev/ttyUSB0", "mock": " mock", "tcp://meter": "tcp meter:502", "tcp://10.0.0.7:1502": "tcp 10.0.0.7:1502",
		"tcp://[fd00::7]": "tcp [fd00::7]:502", "tcp://[fd00::7]:5020": "tcp [fd00::7]:5020", "rtu+tcp://converter:4001": "rtu+tcp converter:4001",
		"tcp://": "", "tcp://:502": "", "tcp://host:": "", "tcp://host:502/x": "", "rtu+tcp://converter": "", "udp://host:502": "", "http://host": "", "tcp://fd00::7": "",
	} {
		p := Port{Device: device}
		scheme, name, err := p.split()
		if got := scheme + " " + name; err == nil && got != want || (err == nil) != (want != "") || (p.Check() == nil) != (err == nil) {
			t.Errorf("%s: %q, %v; want %q", device, got, err, want)
		}
	}
	for _, row := range []struct {
		hw.SerialOpts
		character, silence time.Duration
	}{
		{hw.SerialOpts{Speed: 9600, Parity: hw.EvenParity, StopBits: 1}, 1145833, 4010415},
		{hw.SerialOpts{Speed: 9600, StopBits: 1}, 1041666, 3645831},
		{hw.SerialOpts{Speed: 115200, StopBits: 2}, 95486, 1750000},
	} {
		p := Port{Serial: row.SerialOpts}
		if c, s := p.times(); c != row.character || s != row.silence {
			t.Errorf("%+v: %v and %v", row.SerialOpts, c, s)
		}
	}
}

// A device that never stops sending frames costs a bounded time.
func TestFlood(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	go func() {
		for b := make([]byte, 256); ; {
			if _, err := there.Read(b); err != nil {
				return
			}
			for range 10 * maxStray {
				if _, err := there.Write([]byte{0xee, 0xee, 0, 0, 0, 3, 1, 3, 0}); err != nil {
					return
				}
			}
		}
	}()
	c := &tcp{Conn: here}
	if pdu, err := c.exchange(t.Context(), 1, readOf(Address{Holding, 0}, 1), time.Hour); !errors.Is(err, ErrFrame) || usable(err) {
		t.Errorf("% x, %v", pdu, err)
	}
}

// replies is a stream on which bytes come in pieces, and then nothing.
type replies struct {
	data  []byte
	piece int
}

func (r *replies) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, r.data[:min(len(r.data), r.piece)])
	r.data = r.data[n:]
	return n, nil
}
func (r *replies) Write(p []byte) (int, error)      { return len(p), nil }
func (r *replies) SetReadDeadline(time.Time) error  { return nil }
func (r *replies) SetWriteDeadline(time.Time) error { return nil }
func (r *replies) SetDeadline(time.Time) error      { return nil }
func (r *replies) LocalAddr() net.Addr              { return nil }
func (r *replies) RemoteAddr() net.Addr             { return nil }
func (r *replies) Close() error                     { return nil }

// Whatever bytes come: an answer is one with the sum, or number, and length of the request's.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{0x11, 0x03, 0x02, 0x00, 0x6b, 0x38, 0x68}, uint8(1), uint8(3))
	f.Add([]byte{0x00, 0xff, 0x11, 0x03, 0x02, 0x00, 0x6b, 0x38, 0x68}, uint8(1), uint8(2))
	f.Add([]byte{0, 1, 0, 0, 0, 5, 0x11, 3, 2, 0, 0x6b}, uint8(1), uint8(4))
	f.Add([]byte{0, 1, 0, 0, 0, 3, 0x11, 0x83, 2}, uint8(9), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, count, piece uint8) {
		q := readOf(Address{Holding, 0x6b}, max(1, int(count)%maxRegisters))
		look := func(c exchanger) {
			pdu, err := c.exchange(t.Context(), 0x11, q, time.Second)
			if err != nil {
				return
			}
			if read, err := q.check(pdu); err == nil && len(read) != q.data {
				t.Errorf("% x for % x", read, q.pdu)
			}
		}
		in := func() *replies { return &replies{append([]byte(nil), data...), max(1, int(piece))} }
		serial := &rtu{stream: in(), flush: func() error { return nil }, late: map[uint16]late{}}
		look(serial)
		if len(serial.in) > maxInput+256 {
			t.Errorf("%d bytes are kept", len(serial.in))
		}
		network := &tcp{Conn: in()}
		look(network)
		if len(network.in) > 2*maxFrame {
			t.Errorf("%d bytes are kept", len(network.in))
		}
	})
}

// Readings and commands on a shared, slow line take minutes, and each waits for those of others:
// none is stuck.
func TestASlowLineIsNotStuck(t *testing.T) {
	inField(t, func(t *testing.T, f *field) {
		const units, values = 12, 4
		f.device.Fault(mock.LateAnswer(20 * time.Second))
		p := pulse.New()
		ended := make(chan struct{})
		var devices []*Device
		for unit := range units {
			o := DefaultOpts
			o.Unit, o.Timeout, o.Block = byte(unit+1), 30*time.Second, 1
			devices = append(devices, f.open(o, "40001", "40002", "40003", "00001"))
		}
		begin := time.Now()
		var all sync.WaitGroup
		for _, d := range devices {
			loop := p.Loop(d.String())
			all.Go(func() {
				defer d.Close()
				defer loop.End()
				ctx := loop.In(t.Context())
				loop.Work()
				if _, err := d.Read(ctx); err != nil {
					t.Error(err)
				}
				for i := range values {
					value := any(1.0)
					if i == values-1 {
						value = true
					}
					if err := d.Write(ctx, fmt.Sprintf("v%d", i), value); err != nil {
						t.Error(err)
					}
				}
			})
		}
		go func() { all.Wait(); close(ended) }()
		for over := false; !over; {
			if stuck := p.Stuck(3 * time.Minute); len(stuck) > 0 {
				t.Errorf("after %v: stuck are %q", time.Since(begin), stuck)
			}
			select {
			case <-time.After(time.Minute):
			case <-ended:
				over = true
			}
		}
		if took := time.Since(begin); took < 30*time.Minute {
			t.Errorf("the line was not slow: it took %v", took)
		}
	})
}
