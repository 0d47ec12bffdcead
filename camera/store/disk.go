package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"pithings/mqttlink/durable"
)

// Opts bounds what a [Disk] keeps. The zero value is ready to use.
type Opts struct {
	// MaxCount is how many pictures are kept: 100 when zero.
	MaxCount int
	// MaxBytes is how many bytes they may have together: 64 MiB when zero. While
	// a picture is written there is room for it beside.
	MaxBytes int64
	// Sync makes Put wait until the picture is on the medium, so that it survives
	// a power cut. It wears SD cards; without it a cut may cost the last pictures.
	Sync bool
	// Query, if not nil, returns what the address of a picture has behind its name, with the ?.
	Query func(name string) string
}

// The defaults of [Opts].
const (
	DefaultMaxCount = 100
	DefaultMaxBytes = 64 << 20
)

// Disk is a [Store] in a folder. It touches only files that bear a name such as
// it gives. One Disk at a time may use a folder.
type Disk struct {
	dir     string
	opts    Opts
	baseURL func() string
	// create writes a file; tests let it fail.
	create func(name string, data []byte, t time.Time) error

	write sync.Mutex // one Put at a time

	noted int // lines of the list of takers; write is held

	mu    sync.RWMutex
	files []file           // the oldest first
	index map[string]int64 // sizes of files, by name
	bytes int64
}

type file struct {
	name  string
	size  int64
	time  time.Time // ascending; only the order matters
	taker string    // which thing has taken it; "": that is not known
}

var _ Store = (*Disk)(nil)

// NewDisk opens the folder dir, and makes it when it is not there. Pictures that
// are found in it count, and are served; the oldest are removed at once when they
// are too many. A disk that is full or read-only is no error here but of Put.
//
// baseURL is called for every picture, for the address at which this machine is
// reached may change; what it returns, a slash and the picture's name make the
// URI. It must lead to [Disk.Handler].
func NewDisk(dir string, opts Opts, baseURL func() string) (*Disk, error) {
	if opts.MaxCount == 0 {
		opts.MaxCount = DefaultMaxCount
	}
	if opts.MaxBytes == 0 {
		opts.MaxBytes = DefaultMaxBytes
	}
	if opts.MaxCount < 1 || opts.MaxBytes < 1 {
		return nil, fmt.Errorf("picture store %s: cannot keep %d pictures in %d bytes; both limits must be positive", dir, opts.MaxCount, opts.MaxBytes)
	}
	d := &Disk{dir: dir, opts: opts, baseURL: baseURL, index: map[string]int64{}}
	d.create = d.createFile
	if err := d.load(); err != nil {
		return nil, d.wrap(err)
	}
	if err := d.evict(0); err != nil && !isUnwritable(err) {
		return nil, d.wrap(err)
	}
	return d, nil
}

// String names the store by its folder.
func (d *Disk) String() string { return "picture store " + d.dir }

// wrap names the part. The folder itself is in the errors of package os.
func (d *Disk) wrap(err error) error { return fmt.Errorf("picture store: %w", err) }

// load reads the folder.
func (d *Disk) load() error {
	if err := durable.MakeFolder(d.dir); isUnwritable(err) {
		return nil
	} else if err != nil {
		return err
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	takers := d.readTakers()
	for _, e := range entries {
		name, unfinished := strings.CutSuffix(e.Name(), unfinishedSuffix)
		if !IsName(name) || !e.Type().IsRegular() {
			continue // not ours
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if unfinished || info.Size() == 0 { // what a power cut leaves behind
			if err := os.Remove(d.path(e.Name())); err != nil && !isUnwritable(err) {
				return err
			}
			continue
		}
		d.files = append(d.files, file{name, info.Size(), info.ModTime(), takers[name]})
		d.index[name] = info.Size()
		d.bytes += info.Size()
	}
	sort.Slice(d.files, func(i, j int) bool { return d.files[i].compare(&d.files[j]) < 0 })
	return nil
}

func (d *Disk) path(name string) string { return filepath.Join(d.dir, name) }

// Put implements [Store]. When the disk is full, the oldest pictures make way,
// one after the other.
func (d *Disk) Put(ctx context.Context, jpeg []byte, taken time.Time) (string, error) {
	return d.put(ctx, jpeg, taken, "")
}

func (d *Disk) put(ctx context.Context, jpeg []byte, taken time.Time, taker string) (string, error) {
	switch {
	case ctx.Err() != nil:
		return "", d.wrap(context.Cause(ctx))
	case !bytes.HasPrefix(jpeg, []byte{0xFF, 0xD8, 0xFF}):
		return "", d.wrap(fmt.Errorf("these %d bytes are not a JPEG picture", len(jpeg)))
	case int64(len(jpeg)) > d.opts.MaxBytes:
		return "", d.wrap(fmt.Errorf("a picture of %d bytes is more than the %d that all may have together; raise the limit or take smaller pictures", len(jpeg), d.opts.MaxBytes))
	}
	base := strings.TrimRight(d.baseURL(), "/")
	if base == "" {
		return "", d.wrap(errors.New("the address at which pictures are served is not known; configure the base URL"))
	}

	d.write.Lock()
	defer d.write.Unlock()
	size := int64(len(jpeg))
	name := newName()
	// Order is kept by time, over restarts too. A clock that was set back must not
	// make the newest picture the oldest.
	if epoch := time.Unix(0, 0); taken.Before(epoch) {
		taken = epoch // what every file system can say
	}
	if last := d.newest(); !taken.After(last) {
		taken = last.Add(time.Millisecond)
	}
	for {
		err := d.create(name, jpeg, taken)
		if err == nil {
			break
		}
		if ctx.Err() != nil || !isFull(err) {
			return "", d.wrap(err)
		}
		n, _ := d.Usage()
		if n == 0 {
			return "", d.wrap(fmt.Errorf("the disk is full and there is no older picture to remove: %w", err))
		}
		if err := d.evict(d.opts.MaxCount - n + 1); err != nil { // one picture
			return "", d.wrap(err)
		}
	}
	d.mu.Lock()
	d.files = append(d.files, file{name, size, taken, taker})
	d.index[name] = size
	d.bytes += size
	d.mu.Unlock()
	if taker != "" {
		d.note(name, taker)
	}
	// The picture is there, even if an older one cannot be removed just now;
	// that is tried again with the next.
	_ = d.evict(0)
	if d.opts.Query != nil {
		return base + "/" + name + d.opts.Query(name), nil
	}
	return base + "/" + name, nil
}

// createFile writes a file so that it is there whole or not at all.
func (d *Disk) createFile(name string, data []byte, t time.Time) (err error) {
	unfinished := d.path(name + unfinishedSuffix)
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := durable.OpenFile(unfinished, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		// Another program removed the folder.
		if err = durable.MakeFolder(d.dir); err == nil {
			f, err = durable.OpenFile(unfinished, flags, 0o600)
		}
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(unfinished)
		}
	}()
	_, err = f.Write(data)
	if err == nil && d.opts.Sync {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if err = os.Chtimes(unfinished, time.Time{}, t); err != nil {
		return err
	}
	if err = os.Rename(unfinished, d.path(name)); err != nil {
		return err
	}
	if d.opts.Sync {
		return syncDir(d.dir)
	}
	return nil
}

// evict removes the oldest pictures until both limits hold with room for so many
// more.
func (d *Disk) evict(room int) error {
	for {
		d.mu.Lock()
		if len(d.files) == 0 || len(d.files)+room <= d.opts.MaxCount && d.bytes <= d.opts.MaxBytes {
			d.mu.Unlock()
			return nil
		}
		oldest := d.files[0]
		d.mu.Unlock()
		if err := os.Remove(d.path(oldest.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		d.mu.Lock()
		d.files = slices.Delete(d.files, 0, 1) // write is held, so it is still the first
		delete(d.index, oldest.name)
		d.bytes -= oldest.size
		d.mu.Unlock()
	}
}

// Remove removes a picture. It reports false if there is none of that name.
func (d *Disk) Remove(name string) (bool, error) {
	d.write.Lock() // so that evict counts what there is
	defer d.write.Unlock()
	if !d.has(name) {
		return false, nil
	}
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true, d.wrap(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files = slices.DeleteFunc(d.files, func(f file) bool { return f.name == name })
	d.bytes -= d.index[name]
	delete(d.index, name)
	return true, nil
}

// Usage returns how many pictures there are, and how many bytes they have.
func (d *Disk) Usage() (count int, bytes int64) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.files), d.bytes
}

func (d *Disk) newest() time.Time {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if len(d.files) == 0 {
		return time.Time{}
	}
	return d.files[len(d.files)-1].time
}

// has reports whether a picture of that name is kept.
func (d *Disk) has(name string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, ok := d.index[name]
	return ok
}
