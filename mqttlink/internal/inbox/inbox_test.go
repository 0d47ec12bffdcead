package inbox

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func size(s string) int { return len(s) }

func TestOrderAndLimits(t *testing.T) {
	for _, tt := range []struct {
		name       string
		max, bytes int
		offer      []string
		want       []string
		dropped    int
	}{
		{"all fit", 10, 100, []string{"a", "b", "c"}, []string{"first", "a", "b", "c"}, 0},
		{"oldest give way by count", 2, 100, []string{"a", "b", "c", "d"}, []string{"first", "c", "d"}, 2},
		{"oldest give way by bytes", 10, 4, []string{"aa", "bb", "c"}, []string{"first", "bb", "c"}, 1},
		{"one too large for the queue", 10, 4, []string{"aa", "bbbbbbbb"}, []string{"first", "bbbbbbbb"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				b := New(t.Context(), tt.max, tt.bytes, size, func(_ context.Context, m string) {
					time.Sleep(time.Second)
					got = append(got, m)
				})
				b.Offer("first")
				synctest.Wait() // it is being handled
				dropped := 0
				for _, m := range tt.offer {
					dropped += b.Offer(m)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if !slices.Equal(got, tt.want) || dropped != tt.dropped {
					t.Errorf("handled %v, %d dropped; want %v, %d", got, dropped, tt.want, tt.dropped)
				}
				b.Stop()
				b.Offer("late")
				synctest.Wait()
				if len(got) != len(tt.want) {
					t.Error("handled after Stop")
				}
			})
		})
	}
}

func TestStopWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := false
		b := New(t.Context(), 10, 100, size, func(ctx context.Context, _ string) {
			<-ctx.Done()
			time.Sleep(time.Second) // tidying up
			done = true
		})
		b.Offer("a")
		b.Offer("b")
		synctest.Wait()
		b.Stop()
		if !done {
			t.Error("Stop did not wait for the handler")
		}
		b.Stop()
	})
}

func TestStopFromTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var b *Inbox[string]
		b = New(t.Context(), 10, 100, size, func(ctx context.Context, _ string) {
			calls++
			go b.Stop()
			<-ctx.Done()
		})
		b.Offer("a")
		b.Offer("b")
		synctest.Wait()
		if calls != 1 {
			t.Errorf("%d calls, want 1", calls)
		}
	})
}
