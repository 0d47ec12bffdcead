package main

import (
	"log/slog"
	"sync"
	"time"

	"pithings/hw"
	"pithings/hw/mock"
	"pithings/hw/pi"
)

// openBoard opens the board of this machine, or the simulated one. This is the
// only place that knows which.
func openBoard(simulate bool, log *slog.Logger) (b hw.Board, closeBoard func(), err error) {
	simulated := mock.New(mock.Options{
		Motion:  mock.Motion{First: time.Second, Every: 10 * time.Second, Width: 3 * time.Second},
		Settled: true,
	})
	if simulate {
		return simulated, func() { simulated.Close() }, nil
	}
	real, err := pi.Open(log)
	if err != nil {
		return nil, nil, err
	}
	var once sync.Map
	opened := func(name string) {
		if _, again := once.LoadOrStore(name, true); !again {
			log.Warn("this part is simulated, as its name in the configuration says; what it reads is published like what is measured", "part", name)
		}
	}
	return hw.Split(real, simulated, opened), func() {
		simulated.Close()
		real.Close()
	}, nil
}
