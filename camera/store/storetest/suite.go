// Package storetest is the suite that every store.Store has to pass.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"sync"
	"testing"
	"time"

	"pithings/camera/store"
)

// Open makes an empty store for one test, with room for at least MinCount
// pictures of 1 KiB. fetch gets a URI of its as the other end would.
type Open func(t *testing.T) (s store.Store, fetch func(uri string) (*http.Response, error))

// MinCount is how many small pictures a store under test must hold.
const MinCount = 50

// Picture returns bytes that look like a JPEG picture, another one for each n.
func Picture(n, size int) []byte {
	b := bytes.Repeat([]byte{byte(n), byte(n >> 8), byte(n * 7)}, size/3+1)[:size]
	copy(b, []byte{0xFF, 0xD8, 0xFF, 0xE0})
	copy(b[size-2:], []byte{0xFF, 0xD9})
	return b
}

// Run runs the suite.
func Run(t *testing.T, open Open) {
	taken := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

	t.Run("what was put can be fetched", func(t *testing.T) {
		s, fetch := open(t)
		for i, size := range []int{1024, 100_000, 6} {
			want := Picture(i, size)
			uri := put(t, s, want, taken)
			r, got := get(t, fetch, uri)
			if !bytes.Equal(got, want) {
				t.Errorf("picture %d came back as %d other bytes", i, len(got))
			}
			if ct := r.Header.Get("Content-Type"); ct != "image/jpeg" {
				t.Errorf("content type %q", ct)
			}
			u, err := url.Parse(uri)
			if err != nil || u.Scheme == "" || u.Host == "" {
				t.Errorf("%q is not an absolute URI", uri)
			}
			if path.Ext(u.Path) != ".jpg" {
				t.Errorf("%q does not end in .jpg; some screens look at that", uri)
			}
		}
	})

	t.Run("the store keeps no reference to the bytes", func(t *testing.T) {
		s, fetch := open(t)
		want := Picture(1, 1024)
		lent := bytes.Clone(want)
		uri := put(t, s, lent, taken)
		clear(lent)
		if _, got := get(t, fetch, uri); !bytes.Equal(got, want) {
			t.Error("the picture changed with the caller's buffer")
		}
	})

	t.Run("every picture has a URI of its own", func(t *testing.T) {
		s, _ := open(t)
		seen := map[string]bool{}
		for range MinCount {
			uri := put(t, s, Picture(1, 1024), taken)
			if seen[uri] {
				t.Fatalf("%s twice", uri)
			}
			seen[uri] = true
		}
	})

	t.Run("times that stand still or run back", func(t *testing.T) {
		s, fetch := open(t)
		uris := []string{
			put(t, s, Picture(1, 1024), taken),
			put(t, s, Picture(2, 1024), taken),
			put(t, s, Picture(3, 1024), taken.Add(-time.Hour)),
			put(t, s, Picture(4, 1024), time.Time{}),
		}
		for i, uri := range uris {
			if _, got := get(t, fetch, uri); !bytes.Equal(got, Picture(i+1, 1024)) {
				t.Errorf("picture %d is another", i+1)
			}
		}
	})

	t.Run("what is no picture is refused", func(t *testing.T) {
		s, _ := open(t)
		for _, b := range [][]byte{nil, {}, {0xFF}, []byte("<html>"), make([]byte, 1000)} {
			if uri, err := s.Put(t.Context(), b, taken); err == nil {
				t.Errorf("%q became %s", b[:min(len(b), 10)], uri)
			}
		}
	})

	t.Run("a context that is over", func(t *testing.T) {
		s, _ := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if uri, err := s.Put(ctx, Picture(1, 1024), taken); !errors.Is(err, context.Canceled) {
			t.Errorf("%q and error %v", uri, err)
		}
	})

	t.Run("several at once", func(t *testing.T) {
		s, fetch := open(t)
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				for j := range MinCount / 10 {
					n := i*100 + j
					uri, err := s.Put(t.Context(), Picture(n, 1024), taken)
					if err != nil {
						t.Error(err)
						continue
					}
					r, err := fetch(uri)
					if err != nil {
						t.Error(err)
						continue
					}
					got, err := io.ReadAll(r.Body)
					r.Body.Close()
					if err != nil || r.StatusCode != http.StatusOK || !bytes.Equal(got, Picture(n, 1024)) {
						t.Errorf("picture %d: %s, %d bytes, error %v", n, r.Status, len(got), err)
					}
				}
			})
		}
		all.Wait()
	})
}

func put(t *testing.T, s store.Store, b []byte, taken time.Time) string {
	t.Helper()
	uri, err := s.Put(t.Context(), b, taken)
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

func get(t *testing.T, fetch func(string) (*http.Response, error), uri string) (*http.Response, []byte) {
	t.Helper()
	r, err := fetch(uri)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", uri, r.Status)
	}
	got, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, got
}
