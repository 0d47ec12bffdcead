package hwtest

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pithings/hw"
)

// Sysfs is the folder of a kernel sensor to test.
type Sysfs struct {
	// Name is what Board.Sysfs takes.
	Name string
	// Value is a file below the root folder that holds a number.
	Value string
	// Link is a symbolic link below the root folder, with a target in it; ""
	// skips that test.
	Link string
	// NotReady lets reads of Value return EAGAIN until heal is called. nil skips
	// that test.
	NotReady func(t *testing.T) (heal func())
}

// run runs the tests of a kernel sensor; patience is how long a read may take.
func (p *Sysfs) run(test func(name string, f func(t *testing.T, b hw.Board)), patience time.Duration) {
	open := func(t *testing.T, b hw.Board) fs.FS {
		t.Helper()
		root, err := b.Sysfs(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		return root
	}
	number := func(t *testing.T, root fs.FS) {
		text, err := fs.ReadFile(root, p.Value)
		if s := strings.TrimSpace(string(text)); err != nil || strings.Trim(s, "-0123456789.") != "" || s == "" {
			t.Errorf("%s holds %q, %v, want a number", p.Value, text, err)
		}
	}
	parent := p.Value[:strings.LastIndexByte(p.Value, '/')]

	test("a value", func(t *testing.T, b hw.Board) {
		root := open(t, b)
		for range 3 {
			number(t, root)
		}
	})

	test("all sensors", func(t *testing.T, b hw.Board) {
		root, err := b.Sysfs("")
		if err != nil {
			t.Fatal(err)
		}
		number(t, root)
	})

	test("folders list what they hold", func(t *testing.T, b hw.Board) {
		root := open(t, b)
		for dir, base := parent, p.Value[len(parent)+1:]; dir != "."; {
			entries, err := fs.ReadDir(root, dir)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, e := range entries {
				found = found || e.Name() == base
			}
			if !found {
				t.Errorf("%s does not list %s", dir, base)
			}
			cut := strings.LastIndexByte(dir, '/')
			if cut < 0 {
				break
			}
			dir, base = dir[:cut], dir[cut+1:]
		}
	})

	test("what is not there", func(t *testing.T, b hw.Board) {
		root := open(t, b)
		for _, name := range []string{parent + "/no_such_file", "sys/no/such/folder"} {
			if _, err := fs.ReadFile(root, name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v, want one that is %v", name, err, fs.ErrNotExist)
			}
		}
	})

	test("names that leave the root folder", func(t *testing.T, b hw.Board) {
		root := open(t, b)
		for _, name := range []string{"../etc/passwd", "/etc/passwd", "sys/../../etc/passwd", ""} {
			if f, err := root.Open(name); err == nil {
				_ = f.Close()
				t.Errorf("%q was opened", name)
			}
		}
	})

	test("links", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Link != "", "the harness knows no link")
		root := open(t, b)
		target, err := fs.ReadLink(root, p.Link)
		if err != nil || target == "" {
			t.Errorf("%s leads to %q, %v", p.Link, target, err)
		}
		if _, err := fs.Stat(root, p.Link); err != nil {
			t.Error(err)
		}
	})

	test("a value that is not ready", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.NotReady != nil, "the harness cannot make the driver wait")
		root := open(t, b)
		heal := p.NotReady(t)
		done := make(chan struct{})
		var err error
		go func() {
			defer close(done)
			_, err = fs.ReadFile(root, p.Value)
		}()
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatalf("the read does not end within %v", patience)
		}
		if !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("a value that is not ready: %v, want %v", err, syscall.EAGAIN)
		}
		heal()
		number(t, root)
	})

	test("several readers", func(t *testing.T, b hw.Board) {
		root := open(t, b)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 10 {
					number(t, root)
				}
			})
		}
		group.Wait()
	})
}
