package history

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

const sector = 512

var errDead = errors.New("the process is dead")

// platter is a disk in memory whose power can be cut: what was written and not synced may then
// be there or not, sector by sector, and of the changes of the folder those up to some moment.
// It counts what is done with it, and can fail from one operation on.
type platter struct {
	mu      sync.Mutex
	names   map[string]*inode
	durable map[string]*inode
	pending []func(map[string]*inode) // changes of the folder since it was synced
	now     time.Time                 // when files are written

	reads, writes, syncs int
	written              int64

	n, at int // operations that change or read something, and the first that fails; 0: none does
	many  int // how many fail then; 0: all
	err   error
	what  string // that failed first

	writesOnly bool  // only writing fails
	bad        int64 // offset of a page that cannot be read until it is written; 0: none
}

type inode struct {
	data, durable []byte
	dirty         map[int]bool // sectors
	modified      time.Time
}

func newPlatter() *platter {
	return &platter{names: map[string]*inode{}, durable: map[string]*inode{}, now: time.Unix(1_700_000_000, 0)}
}

// fault counts an operation and returns the error of one that fails.
func (p *platter) fault(op, name string) error {
	if p.n++; p.writesOnly && op != "write" && op != "sync" {
		return nil
	}
	if p.at == 0 || p.n < p.at || p.many > 0 && p.n >= p.at+p.many {
		return nil
	}
	if p.what == "" {
		p.what = fmt.Sprintf("operation %d, %s %s", p.n, op, name)
	}
	return &os.PathError{Op: op, Path: name, Err: p.err}
}

func (p *platter) change(f func(map[string]*inode)) {
	f(p.names)
	p.pending = append(p.pending, f)
}

func (p *platter) open(name string, flag int) (file, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.fault("open", name); err != nil {
		return nil, err
	}
	n, ok := p.names[name]
	if !ok {
		if flag&os.O_CREATE == 0 {
			return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
		}
		n = &inode{dirty: map[int]bool{}, modified: p.now}
		p.change(func(m map[string]*inode) { m[name] = n })
	}
	if flag&os.O_TRUNC != 0 {
		n.data = nil
	}
	return &handle{p: p, n: n, name: name}, nil
}

func (p *platter) rename(from, to string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.fault("rename", from); err != nil {
		return err
	}
	if _, ok := p.names[from]; !ok {
		return os.ErrNotExist
	}
	p.change(func(m map[string]*inode) {
		m[to] = m[from]
		delete(m, from)
	})
	return nil
}

func (p *platter) remove(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.fault("remove", name); err != nil {
		return err
	}
	if _, ok := p.names[name]; !ok {
		return os.ErrNotExist
	}
	p.change(func(m map[string]*inode) { delete(m, name) })
	return nil
}

func (p *platter) list() ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.names)), p.fault("list", "")
}

func (p *platter) modified(name string) (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.names[name]
	if !ok {
		return time.Time{}, os.ErrNotExist
	}
	return n.modified, nil
}

func (p *platter) syncDir() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.fault("sync", "folder"); err != nil {
		return err
	}
	p.syncs++
	p.durable, p.pending = maps.Clone(p.names), nil
	return nil
}

// powerCut returns the disk as it is found afterwards.
func (p *platter) powerCut(r *rand.Rand) *platter {
	p.mu.Lock()
	defer p.mu.Unlock()
	after := newPlatter()
	m := maps.Clone(p.durable)
	for _, f := range p.pending[:r.IntN(len(p.pending)+1)] {
		f(m)
	}
	all := r.IntN(3) // nothing, everything, or anything of what was not synced
	some := func() bool { return all == 1 || all == 2 && r.IntN(2) == 0 }
	for _, name := range slices.Sorted(maps.Keys(m)) { // the same for the same seed
		n := m[name]
		if n == nil {
			continue // a rename of something that was never there
		}
		size := len(n.durable)
		if some() {
			size = len(n.data)
		}
		d := make([]byte, size)
		copy(d, n.durable)
		for i := range (size + sector - 1) / sector {
			if n.dirty[i] && some() && i*sector < len(n.data) {
				end := min((i+1)*sector, len(n.data), size)
				copy(d[i*sector:end], n.data[i*sector:end])
			}
		}
		after.put(name, d)
	}
	return after
}

// killed returns the disk as another process finds it.
func (p *platter) killed() *platter {
	p.mu.Lock()
	defer p.mu.Unlock()
	after := newPlatter()
	for name, n := range p.names {
		after.put(name, n.data)
	}
	return after
}

// put makes a file.
func (p *platter) put(name string, data []byte) *inode {
	n := &inode{data: bytes.Clone(data), durable: bytes.Clone(data), dirty: map[int]bool{}, modified: p.now}
	p.names[name], p.durable[name] = n, n
	return n
}

type handle struct {
	p    *platter
	n    *inode
	name string
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	if err := h.p.fault("read", h.name); err != nil {
		return 0, err
	}
	h.p.reads++
	if bad := h.p.bad; bad > 0 && off < bad+pageSize && off+int64(len(b)) > bad {
		return 0, &os.PathError{Op: "read", Path: h.name, Err: syscall.EIO}
	}
	if off >= int64(len(h.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.n.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(b []byte, off int64) (int, error) {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	err := h.p.fault("write", h.name)
	if errors.Is(err, errDead) {
		return 0, err
	}
	if err != nil {
		b = b[:len(b)/2] // a part gets there
	}
	h.p.writes++
	if off == h.p.bad {
		h.p.bad = 0
	}
	h.p.written += int64(len(b))
	if need := int(off) + len(b); need > len(h.n.data) {
		h.n.data = append(h.n.data, make([]byte, need-len(h.n.data))...)
	}
	n := copy(h.n.data[off:], b)
	for i := int(off) / sector; n > 0 && i <= (int(off)+n-1)/sector; i++ {
		h.n.dirty[i] = true
	}
	h.n.modified = h.p.now
	return n, err
}

// Sync, when it fails, leaves the pages clean and not written, as Linux does: the next one
// succeeds without writing them.
func (h *handle) Sync() error {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	err := h.p.fault("sync", h.name)
	if errors.Is(err, errDead) {
		return err
	}
	h.p.syncs++
	if err == nil {
		if more := len(h.n.data) - len(h.n.durable); more > 0 {
			h.n.durable = append(h.n.durable, make([]byte, more)...)
		}
		for i := range h.n.dirty {
			copy(h.n.durable[i*sector:min((i+1)*sector, len(h.n.durable))], h.n.data[i*sector:])
		}
	}
	clear(h.n.dirty)
	return err
}

func (h *handle) Close() error { return nil }
