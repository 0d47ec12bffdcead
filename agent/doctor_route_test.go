package agent

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/agent/config"
	"pithings/agent/doctor"
	"pithings/api"
	"pithings/hw/probe"
)

// Who may look sees what is wrong and what fixes it.
func TestDoctorOverTheWeb(t *testing.T) {
	s := serveThings(t, severalThings)
	if status, text := s.answer(t, "look", "GET", "/api/v1/doctor", "", nil); status != http.StatusNotFound {
		t.Errorf("an agent without a doctor: %d %s", status, text)
	}
	s.doctor.examine = func(context.Context) (doctor.Report, error) {
		return doctor.Report{probe.Found("clock", "right"), probe.Failure("air", errors.New("no sensor answers"), "check the wires")}, nil
	}
	var found Examination
	if status, text := s.answer(t, "look", "GET", "/api/v1/doctor", "", &found); status != http.StatusOK || found.Failed != 1 || found.Checks[1].Fix != "check the wires" || found.Time.IsZero() {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := s.answer(t, "", "GET", "/api/v1/doctor", "", nil); status != http.StatusUnauthorized {
		t.Errorf("without a login: %d", status)
	}
}

// One examination at a time is made, no more than one in ten seconds, and none for longer than
// the web server answers.
func TestExaminationsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hold := 0, make(chan struct{})
		var failure error
		d := diagnosis{current: func() *config.Config { return &config.Config{} }, examine: func(ctx context.Context) (doctor.Report, error) {
			n++
			select {
			case <-hold:
				return doctor.Report{}, failure
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}}
		e := &examiner{take: d.take}
		first := make(chan error, 1)
		go func() {
			_, err := e.examine(t.Context())
			first <- err
		}()
		synctest.Wait()
		if _, err := e.examine(t.Context()); !errors.Is(err, api.Status(http.StatusServiceUnavailable)) {
			t.Errorf("a second one: %v", err)
		}
		close(hold)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := e.examine(t.Context()); err != nil || n != 1 {
				t.Errorf("soon after: %v, %d examinations", err, n)
			}
		}
		time.Sleep(examineAgain)
		failure = errors.New("broken")
		if _, err := e.examine(t.Context()); err == nil || !strings.Contains(err.Error(), "broken") || n != 2 {
			t.Errorf("later: %v, %d examinations", err, n)
		}
		hold = make(chan struct{})
		began := time.Now()
		if _, err := e.examine(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != examineTime {
			t.Errorf("one that hangs: %v after %v", err, time.Since(began))
		}
	})
}
