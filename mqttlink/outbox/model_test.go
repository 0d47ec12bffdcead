package outbox

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// modelMessage is a message as the model knows it.
type modelMessage struct {
	Record
	safe bool // as the mode promises
	disk bool // it survives a power cut
}

// model is what a box should be: a slice.
type model struct {
	t     *testing.T
	r     *rand.Rand
	p     *platter
	o     DiskOptions
	d     *Disk
	box   []modelMessage
	gone  map[uint64]modelMessage // acknowledged or dropped: may come back after a power cut
	acked uint64
	ones  map[uint64]bool // acknowledged by themselves: may not come back, if their ranges were saved
	n     int             // of messages ever made
	now   time.Time
	log   []string
	bad   bool   // the disk cannot be written
	loose uint64 // counts may be too high until all below is gone: see found
}

func (m *model) op(format string, a ...any) { m.log = append(m.log, fmt.Sprintf(format, a...)) }

func (m *model) fatal(format string, a ...any) {
	m.t.Helper()
	var segs []string
	for _, s := range m.d.log.segs {
		segs = append(segs, fmt.Sprintf("%+v", *s))
	}
	m.op("log %s", strings.Join(segs, "\n"))
	m.t.Fatalf("%s: %s\nlast operations:\n%s", m.log[0], fmt.Sprintf(format, a...), strings.Join(m.log[max(0, len(m.log)-400):], "\n"))
}

// Write takes the box's log.
func (m *model) Write(b []byte) (int, error) {
	m.op("%s", bytes.TrimSpace(b))
	return len(b), nil
}

func (m *model) open() {
	m.o.fs = m.p
	m.p.trace = m.op
	m.o.Log = slog.New(slog.NewTextHandler(m, nil))
	d, err := Open("model", m.o)
	if err != nil {
		m.fatal("open: %v", err)
	}
	m.d = d
	m.op("opened: acked %d, next %d, sacks %+v", d.position.acked, d.unsaved.next, d.position.sacks.list)
}

func (m *model) record() Record {
	m.n++
	size := m.r.IntN(400)
	switch m.r.IntN(40) {
	case 0:
		size = 5000
	case 1:
		size = 40000 // more than a segment
	}
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(m.n + i*7)
	}
	r := Record{Topic: "topic/" + strconv.Itoa(m.r.IntN(5)), Payload: fmt.Appendf(p, "%d", m.n), QoS: byte(m.r.IntN(3)), Retain: m.r.IntN(2) == 0, Class: Class(m.r.IntN(2))}
	if m.r.IntN(2) == 0 {
		r.Expiry = time.Duration(m.n)
	}
	if m.r.IntN(3) == 0 {
		r.Stamp = Stamp{Boot: [16]byte{1, 2, byte(m.n)}, Mono: time.Duration(m.n)}
		r.Field = TimeField{uint32(m.r.IntN(size + 1)), 1, 3}
	}
	return r
}

func (m *model) append() {
	r := m.record()
	seq, err := m.d.Append(r)
	m.op("append %d bytes = %d, %v", len(r.Payload), seq, err)
	m.accept(r, seq, err)
}

func (m *model) accept(r Record, seq uint64, err error) {
	switch {
	case err == nil:
	case errors.Is(err, ErrUnsaved) && m.d.unsaved.err != nil:
	default:
		m.fatal("append: %v", err)
	}
	r.Seq = seq
	delete(m.ones, seq) // the number is used again: what had it was lost with the process
	m.box = append(m.box, modelMessage{Record: r, safe: err == nil, disk: err == nil && m.o.Sync == SyncAlways})
	m.drop(r.Class)
}

// drop does what the limits say; the box did it before it appended.
func (m *model) drop(c Class) {
	l, set := m.o.Limits.of(c)
	for l.Messages > 0 {
		n, first := 0, -1
		for i, b := range m.box {
			if set.has(b.Class) {
				n++
				if first < 0 {
					first = i
				}
			}
		}
		if n <= l.Messages {
			return
		}
		m.gone[m.box[first].Seq] = m.box[first]
		m.box = append(m.box[:first:first], m.box[first+1:]...)
	}
}

func (m *model) appendAll() {
	rs := make([]Record, m.r.IntN(60))
	for i := range rs {
		rs[i] = m.record()
	}
	a, err := m.d.AppendAll(rs)
	m.op("append %d = %+v, %v", len(rs), a, err)
	if a.N != len(rs) || a.N > 0 && a.Last != a.First+uint64(a.N)-1 {
		m.fatal("append all: %+v of %d, %v", a, len(rs), err)
	}
	for i, r := range rs {
		m.accept(r, a.First+uint64(i), err)
	}
}

// read compares some messages, or all.
func (m *model) read(all bool) {
	i, pos := 0, uint64(0)
	if len(m.box) > 0 && !all {
		i = m.r.IntN(len(m.box))
		pos = m.box[i].Seq
	}
	for n := 0; all || n < 5; n++ {
		r, ok, err := m.d.Next(pos)
		if err != nil {
			m.fatal("next %d: %v", pos, err)
		}
		if !ok {
			if i < len(m.box) {
				m.fatal("next %d: nothing, want %d (of %d)", pos, m.box[i].Seq, len(m.box))
			}
			return
		}
		if i >= len(m.box) {
			m.fatal("next %d: %d, want nothing", pos, r.Seq)
		}
		m.same(r, m.box[i].Record)
		i++
		pos = r.Seq + 1
	}
}

func (m *model) same(got, want Record) {
	m.t.Helper()
	// The box gives the time.
	got.Time, want.Time = time.Time{}, time.Time{}
	if !bytes.Equal(got.Payload, want.Payload) {
		m.fatal("payload of %d differs: %d bytes, want %d", want.Seq, len(got.Payload), len(want.Payload))
	}
	got.Payload, want.Payload = nil, nil
	if !reflect.DeepEqual(got, want) {
		m.fatal("message differs: got\n%+v, want\n%+v", got, want)
	}
}

func (m *model) ack() {
	if len(m.box) == 0 {
		return
	}
	i := m.r.IntN(min(len(m.box), 40))
	if m.r.IntN(20) == 0 {
		i = len(m.box) - 1
	}
	seq := m.box[i].Seq
	err := m.d.Ack(seq)
	m.op("ack %d: %v", seq, err)
	if err != nil {
		m.fatal("ack: %v", err)
	}
	for _, b := range m.box[:i+1] {
		m.gone[b.Seq] = b
	}
	m.box = m.box[i+1:]
	m.acked = seq
}

// ackOne acknowledges some that are not the first, in a row as a link does that sends
// the latest first, or anywhere.
func (m *model) ackOne() {
	if len(m.box) == 0 {
		return
	}
	i := m.r.IntN(len(m.box))
	if m.r.IntN(2) == 0 {
		i = max(0, len(m.box)-1-m.r.IntN(8))
	}
	n := 1
	if m.r.IntN(2) == 0 {
		n = min(m.r.IntN(60), len(m.box)-i)
	}
	for range n {
		b := m.box[i]
		err := m.d.AckOne(b.Seq)
		m.op("ack one %d: %v", b.Seq, err)
		if err == nil && m.r.IntN(20) == 0 {
			err = m.d.AckOne(b.Seq)
		}
		if err != nil {
			m.fatal("ack one: %v", err)
		}
		m.gone[b.Seq], m.ones[b.Seq] = b, true
		m.box = append(m.box[:i:i], m.box[i+1:]...)
	}
	// Nor is anything that is not in the box.
	if seq := m.r.Uint64N(m.d.NextSeq() + 10); !slices.ContainsFunc(m.box, func(b modelMessage) bool { return b.Seq == seq }) {
		if err := m.d.AckOne(seq); err != nil {
			m.fatal("ack one: %v", err)
		}
	}
}

func (m *model) tend() {
	m.now = m.now.Add(time.Hour)
	before := m.now
	for range 8 {
		m.d.keeper.tend(m.now)
	}
	m.op("tend, error %v", m.d.unsaved.err)
	m.now = before
	if m.d.unsaved.err == nil {
		synced := m.d.log.tail == nil || !m.d.log.tail.dirty
		for i := range m.box {
			m.box[i].safe = true
			m.box[i].disk = m.box[i].disk || synced && m.o.Sync != SyncNever
		}
	}
}

func (m *model) close() {
	unsaved := m.d.Stats().Unsaved
	err := m.d.Close()
	m.op("close with %d unsaved: %v", unsaved, err)
	if err != nil && !m.bad {
		m.fatal("close: %v", err)
	}
	if err == nil {
		for i := range m.box {
			m.box[i].safe, m.box[i].disk = true, m.box[i].disk || m.o.Sync != SyncNever
		}
	}
	m.found(m.kept, false)
}

// kept returns what survives the end of the process: what was in the kernel when the
// disk failed does only if that disk gives it back.
func (m *model) kept(b modelMessage) bool {
	return b.disk || b.safe && (m.d.unsaved.err == nil || m.o.Sync == SyncAlways)
}

// found opens the box, and looks whether all is there that must be, and nothing
// that must not.
func (m *model) found(must func(modelMessage) bool, cut bool) {
	// What was acknowledged while the disk could not be written may come back.
	again := cut || m.bad
	unsaved := again || m.d.position.partial
	kept := make([]bool, len(m.box))
	for i := range m.box {
		kept[i] = must(m.box[i])
	}
	bad := m.bad
	m.bad = false
	m.p.setFail(nil, 0)
	m.open()
	if bad {
		// A part of a write that failed may be in the log, of messages that were
		// acknowledged while they were unsaved. They count until the front has passed.
		m.loose = m.d.unsaved.next
	}
	i := 0
	var box []modelMessage
	for pos := uint64(0); ; {
		r, ok, err := m.d.Next(pos)
		if err != nil {
			m.fatal("next after opening: %v", err)
		}
		for ; i < len(m.box) && (!ok || m.box[i].Seq < r.Seq); i++ {
			if kept[i] {
				m.fatal("message %d (of %d..%d) is lost; found %v %d", m.box[i].Seq, m.box[0].Seq, m.box[len(m.box)-1].Seq, ok, r.Seq)
			}
		}
		if !ok {
			break
		}
		if r.Seq < pos {
			m.fatal("message %d found after %d", r.Seq, pos)
		}
		pos = r.Seq + 1
		if i < len(m.box) && m.box[i].Seq == r.Seq {
			m.same(r, m.box[i].Record)
			i++
		} else if g, ok := m.gone[r.Seq]; ok {
			if r.Seq <= m.acked && !again {
				m.fatal("message %d is back, although %d was acknowledged", r.Seq, m.acked)
			}
			if m.ones[r.Seq] && !unsaved {
				m.fatal("message %d is back, although it was acknowledged", r.Seq)
			}
			m.same(r, g.Record)
		} else {
			m.fatal("message %d was never appended", r.Seq)
		}
		box = append(box, modelMessage{Record: r, safe: true, disk: cut})
	}
	m.box = box
	for _, b := range box {
		delete(m.ones, b.Seq)
	}
	m.acked = m.d.position.acked
	m.counts()
	if s := m.d.Stats(); s.Damaged > 0 || s.DamagedFiles > 0 {
		m.fatal("taken for damaged: %+v", s)
	}
}

func (m *model) counts() {
	var bytes int64
	for _, b := range m.box {
		bytes += b.size()
	}
	s := m.d.Stats()
	if len(m.box) == 0 || m.box[0].Seq >= m.loose {
		m.loose = 0
	}
	if m.loose > 0 && s.Messages >= len(m.box) && s.Messages <= len(m.box)+60 && s.Bytes >= bytes {
		return
	}
	if s.Messages != len(m.box) || s.Bytes != bytes {
		m.fatal("%d messages, %d bytes; want %d, %d", s.Messages, s.Bytes, len(m.box), bytes)
	}
}

func (m *model) step() {
	switch k := m.r.IntN(1000); {
	case k < 400:
		m.append()
	case k < 440:
		m.appendAll()
	case k < 600:
		m.read(false)
	case k < 620:
		m.read(true)
	case k < 720:
		m.ack()
	case k < 800:
		m.ackOne()
	case k < 930:
		m.tend()
	case k < 945:
		m.close()
	case k < 960:
		m.op("kill")
		m.found(m.kept, false)
	case k < 975 && m.o.Sync != SyncNever:
		m.op("power cut")
		m.p = m.p.powerCut(m.r)
		m.found(func(b modelMessage) bool { return b.disk }, true)
	case k < 985:
		m.bad = true
		after := m.r.IntN(8)
		m.op("the disk fails after %d", after)
		m.p.setFail([]error{syscall.EIO, syscall.ENOSPC, syscall.EROFS}[m.r.IntN(3)], after)
	case k >= 960 && k < 975: // without syncing nothing is promised, not even good heads
	default:
		m.op("the disk is well")
		m.p.setFail(nil, 0)
		if m.bad {
			m.bad = false
			for range 10 {
				m.tend()
			}
			if m.d.unsaved.err != nil {
				m.fatal("not healed: %v", m.d.unsaved.err)
			}
		}
	}
}

// TestModel does random things to a box and to a slice. OUTBOX_SEEDS says how many
// times in each mode, OUTBOX_SEED which of them alone.
func TestModel(t *testing.T) {
	modes := []DiskOptions{
		{Sync: SyncAlways}, {Sync: SyncInterval}, {Sync: SyncNever},
		{Sync: SyncAlways, Limits: Limits{Messages: 70, Drop: DropOldest}},
		{Sync: SyncInterval, Limits: Limits{Messages: 200, Drop: DropOldest, Alarms: &Limits{Messages: 30, Drop: DropOldest}}},
	}
	seeds := 15
	if s := os.Getenv("OUTBOX_SEEDS"); s != "" {
		seeds, _ = strconv.Atoi(s)
	}
	if testing.Short() {
		seeds = 5
	}
	only, _ := strconv.Atoi(os.Getenv("OUTBOX_SEED"))
	for i, o := range modes {
		o.still, o.segment, o.Retry = true, 32<<10, time.Nanosecond
		t.Run(fmt.Sprintf("%s %d", o.Sync, o.Limits.Messages), func(t *testing.T) {
			t.Parallel()
			for seed := range seeds {
				if only > 0 && seed != only {
					continue
				}
				m := &model{t: t, r: rand.New(rand.NewPCG(uint64(seed), uint64(i))), p: newPlatter(), o: o, gone: map[uint64]modelMessage{}, ones: map[uint64]bool{}, now: time.Now()}
				m.op("seed %d", seed)
				m.open()
				for range 1500 {
					m.step()
					if !m.bad {
						m.counts()
					}
				}
				m.read(true)
			}
		})
	}
}
