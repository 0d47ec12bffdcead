package outbox

import (
	"bytes"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
)

const sector = 512

// platter is a disk in memory whose power can be cut: what was written and not
// synced may then be there or not, sector by sector, and of the renames and other
// changes of the folder those up to some moment.
type platter struct {
	mu      sync.Mutex
	names   map[string]*inode
	durable map[string]*inode
	pending []func(map[string]*inode) // changes of the folder since it was synced

	fail   error    // of all that writes
	sector *badPage // one that cannot be read
	blind  error    // of all that reads
	trace  func(format string, a ...any)
	after  int // so many more writes are good
}

// badPage is a page of a file that the disk does not give back.
type badPage struct {
	n   *inode
	off int64
}

type inode struct {
	data, durable []byte
	dirty         map[int]bool // sectors
}

func newPlatter() *platter {
	return &platter{trace: func(string, ...any) {}, names: map[string]*inode{}, durable: map[string]*inode{}}
}

func (p *platter) setFail(err error, after int) {
	p.mu.Lock()
	p.fail, p.after = err, after
	p.mu.Unlock()
}

// put makes a file.
func (p *platter) put(name string, data []byte) {
	n := &inode{data: bytes.Clone(data), durable: bytes.Clone(data), dirty: map[int]bool{}}
	p.names[name], p.durable[name] = n, n
}

// writing returns the error of a write.
func (p *platter) writing() error {
	if p.fail == nil {
		return nil
	}
	if p.after > 0 {
		p.after--
		return nil
	}
	return p.fail
}

func (p *platter) change(f func(map[string]*inode)) {
	f(p.names)
	p.pending = append(p.pending, f)
}

func (p *platter) open(name string, flag int) (file, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.names[name]
	if p.blind != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: p.blind}
	}
	if flag&(os.O_RDWR|os.O_CREATE) != 0 && !(ok && flag&os.O_CREATE != 0) {
		if err := p.writing(); err != nil {
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
	}
	if !ok {
		if flag&os.O_CREATE == 0 {
			return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
		}
		n = &inode{dirty: map[int]bool{}}
		p.change(func(m map[string]*inode) { m[name] = n })
	}
	if flag&os.O_TRUNC != 0 {
		n.truncate(0)
	}
	return &handle{p: p, n: n}, nil
}

func (p *platter) rename(from, to string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.writing(); err != nil {
		return err
	}
	if _, ok := p.names[from]; !ok {
		return os.ErrNotExist
	}
	p.trace("rename %s %s", from, to)
	p.change(func(m map[string]*inode) {
		m[to] = m[from]
		delete(m, from)
	})
	return nil
}

func (p *platter) remove(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.writing(); err != nil {
		return err
	}
	p.trace("remove %s", name)
	p.change(func(m map[string]*inode) { delete(m, name) })
	return nil
}

func (p *platter) list() (names []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := range p.names {
		names = append(names, n)
	}
	return names, p.blind
}

func (p *platter) syncDir() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.writing(); err != nil {
		return err
	}
	p.trace("sync folder")
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
	all := r.IntN(3)                                   // nothing, everything, or anything of what was not synced
	for _, name := range slices.Sorted(maps.Keys(m)) { // the same for the same seed
		n := m[name]
		if n == nil {
			continue // a rename of something that was never there
		}
		size := len(n.durable)
		if all == 1 || all == 2 && r.IntN(2) == 0 {
			size = len(n.data)
		}
		d := make([]byte, size)
		copy(d, n.durable)
		for i := range (size + sector - 1) / sector {
			if n.dirty[i] && (all == 1 || all == 2 && r.IntN(2) == 0) && i*sector < len(n.data) {
				end := min((i+1)*sector, len(n.data), size)
				copy(d[i*sector:end], n.data[i*sector:end])
			}
		}
		c := &inode{data: d, durable: append([]byte(nil), d...), dirty: map[int]bool{}}
		after.names[name], after.durable[name] = c, c
	}
	return after
}

func (n *inode) truncate(size int64) {
	if size <= int64(len(n.data)) {
		n.data = n.data[:size]
		return
	}
	n.data = append(n.data, make([]byte, size-int64(len(n.data)))...)
}

type handle struct {
	p      *platter
	n      *inode
	closed bool
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	if h.closed {
		return 0, os.ErrClosed
	}
	if h.p.blind != nil {
		return 0, h.p.blind
	}
	if bad := h.p.sector; bad != nil && h.n == bad.n && off < bad.off+page && off+int64(len(b)) > bad.off {
		if off >= bad.off {
			return 0, syscall.EIO
		}
		b = b[:bad.off-off]
		return copy(b, h.n.data[off:]), syscall.EIO
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
	if h.closed {
		return 0, os.ErrClosed
	}
	err := h.p.writing()
	if err != nil {
		b = b[:len(b)/2] // part of it is there all the same
	}
	if need := off + int64(len(b)); need > int64(len(h.n.data)) {
		h.n.truncate(need)
	}
	n := copy(h.n.data[off:], b)
	for i := int(off) / sector; n > 0 && i <= (int(off)+n-1)/sector; i++ {
		h.n.dirty[i] = true
	}
	return n, err
}

func (h *handle) Truncate(size int64) error {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	if err := h.p.writing(); err != nil {
		return err
	}
	h.n.truncate(size)
	return nil
}

func (h *handle) Size() (int64, error) {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	return int64(len(h.n.data)), nil
}

// Sync, when it fails, leaves the pages clean and not written, as Linux does: the
// next one succeeds without writing them.
func (h *handle) Sync() error {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	if h.closed {
		return os.ErrClosed
	}
	err := h.p.writing()
	if err == nil {
		d := append(h.n.durable, make([]byte, max(0, len(h.n.data)-len(h.n.durable)))...)[:len(h.n.data)]
		for i := range h.n.dirty {
			if i*sector < len(d) {
				copy(d[i*sector:min((i+1)*sector, len(d))], h.n.data[i*sector:])
			}
		}
		h.n.durable = d
	}
	clear(h.n.dirty)
	return err
}

func (h *handle) Close() error {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	h.closed = true
	return nil
}
