package outbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What Sync has reported to be on the disk survives every power cut, under load, with
// segments rolling, and on a disk that fails now and then.
func TestSync(t *testing.T) {
	p := newPlatter()
	d, err := Open("platter", DiskOptions{fs: p, Interval: time.Millisecond, Retry: time.Millisecond, RetryMax: 2 * time.Millisecond, segment: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	const producers, cuts = 4, 60
	var mu sync.Mutex
	safe, unsavedOnes := map[uint64]bool{}, 0
	var wg sync.WaitGroup
	var stop atomic.Bool
	var gate sync.RWMutex
	for q := range producers {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				gate.RLock()
				seq, err := d.Append(Record{Topic: fmt.Sprint(q), Payload: fmt.Appendf(nil, "%100d", i)})
				gate.RUnlock()
				if err == nil {
					err = d.Sync()
				}
				unsaved := errors.Is(err, ErrUnsaved)
				if unsaved { // which ends when the disk is well
					if err := d.Safe(t.Context(), seq); err != nil {
						t.Error(err)
					}
				}
				mu.Lock()
				if err == nil {
					safe[seq] = true
				} else if unsaved {
					unsavedOnes++
				} else {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	r := rand.New(rand.NewPCG(0, 1))
	for cut := range cuts {
		time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond) // a random moment
		if p.setFail(nil, 0); cut%3 == 0 {
			p.setFail(syscall.EIO, rand.IntN(5))
		}
		mu.Lock()
		want := make([]uint64, 0, len(safe))
		for seq := range safe {
			want = append(want, seq)
		}
		mu.Unlock()
		after := p.powerCut(r)
		gate.Lock() // looking takes far longer than appending
		left, err := Open("platter", DiskOptions{fs: after, still: true})
		if err != nil {
			t.Fatal(err)
		}
		found := map[uint64]bool{}
		for pos := uint64(0); ; {
			rec, ok, err := left.Next(pos)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			found[rec.Seq] = true
			pos = rec.Seq + 1
		}
		for _, seq := range want {
			if !found[seq] {
				t.Errorf("cut %d: message %d was reported to be on the disk, and is not", cut, seq)
			}
		}
		if err := left.Close(); err != nil {
			t.Fatal(err)
		}
		gate.Unlock()
	}
	p.setFail(nil, 0)
	stop.Store(true)
	wg.Wait()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if unsavedOnes == 0 || len(safe) == 0 {
		t.Errorf("%d were safe and %d unsaved: both should have happened", len(safe), unsavedOnes)
	}
	if err := d.Sync(); !errors.Is(err, ErrClosed) {
		t.Errorf("%v after the end", err)
	}
	t.Logf("%d safe, %d unsaved", len(safe), unsavedOnes)
}
