package scheduletest

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"pithings/mqttlink"
)

// Network is a client behind a network that loses, repeats and reorders what it carries,
// in both directions. Close it before what is below it.
type Network struct {
	mqttlink.Client

	mu    sync.Mutex
	r     *rand.Rand
	calm  bool
	gone  bool
	delay sync.WaitGroup
}

// NewNetwork returns one whose faults a seed decides.
func NewNetwork(below mqttlink.Client, seed uint64) *Network {
	return &Network{Client: below, r: rand.New(rand.NewPCG(seed, 7))}
}

// Calm ends the faults, or lets them begin again.
func (n *Network) Calm(calm bool) {
	n.mu.Lock()
	n.calm = calm
	n.mu.Unlock()
}

// Close drops what is under way, and all that comes.
func (n *Network) Close() {
	n.mu.Lock()
	n.gone = true
	n.mu.Unlock()
	n.delay.Wait()
}

// carry hands something over at once, later, twice or not at all.
func (n *Network) carry(hand func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone { // Close waits, and nothing may begin
		return
	}
	times := []int{0, 2, 1, 1, 1, 1, 1, 1}[n.r.IntN(8)]
	late := time.Duration(n.r.IntN(4)/3) * time.Duration(n.r.IntN(4000)) * time.Millisecond
	if n.calm {
		times, late = 1, 0
	}
	for range times {
		if late == 0 && times == 1 {
			n.mu.Unlock()
			if !n.isGone() {
				hand()
			}
			n.mu.Lock()
			return
		}
		n.delay.Go(func() {
			time.Sleep(late)
			if !n.isGone() {
				hand()
			}
		})
	}
}

func (n *Network) isGone() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gone
}

// Publish implements mqttlink.Client. What is lost is no error, as with QoS 0.
func (n *Network) Publish(ctx context.Context, m mqttlink.Message) error {
	ctx = context.WithoutCancel(ctx)
	n.carry(func() { _ = n.Client.Publish(ctx, m) })
	return nil
}

// SubscribeAll implements mqttlink.Client.
func (n *Network) SubscribeAll(filters []string, qos byte, h mqttlink.Handler) (cancel func(), err error) {
	return n.Client.SubscribeAll(filters, qos, func(ctx context.Context, m mqttlink.Message) {
		ctx = context.WithoutCancel(ctx)
		n.carry(func() { h(ctx, m) })
	})
}
