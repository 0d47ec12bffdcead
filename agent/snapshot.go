package agent

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"pithings/agent/web"
	"pithings/api"
	"pithings/things"
)

const (
	maxViewers = 4 // of all cameras
	// frameTime is the least time from one picture of a stream to the next, and frameWrite how long
	// a client may take to read one.
	frameTime  = 200 * time.Millisecond
	frameWrite = 10 * time.Second
)

// photographer is a thing that takes pictures.
type photographer interface {
	// Snapshot takes a picture, as JPEG, and keeps it nowhere.
	Snapshot(ctx context.Context) ([]byte, error)
}

// snapshotRoutes show what cameras see. Viewers take their turns at the camera, with its things'
// own captures.
func snapshotRoutes(all func() []things.Thing) []api.Route {
	s := &snapshots{all, make(chan struct{}, maxViewers), frameWrite}
	return []api.Route{
		{Method: http.MethodGet, Path: "/api/v1/things/{name}/snapshot.jpg", For: api.Look, Doc: "take a picture with a camera", Handler: http.HandlerFunc(s.one), Media: "image/jpeg"},
		{Method: http.MethodGet, Path: "/api/v1/things/{name}/stream.mjpeg", For: api.Look, Doc: "show what a camera sees, picture by picture", Handler: http.HandlerFunc(s.stream), Media: "multipart/x-mixed-replace"},
	}
}

type snapshots struct {
	things   func() []things.Thing
	viewers  chan struct{}
	patience time.Duration // frameWrite
}

// errViewers says that there are too many.
var errViewers = fmt.Errorf("%d others look through the cameras at the moment: try again (%w)", maxViewers, api.Status(http.StatusServiceUnavailable))

// take takes a picture with the camera of that name, as it is configured now.
func (s *snapshots) take(ctx context.Context, name string) ([]byte, error) {
	for _, t := range s.things() {
		if p, ok := t.(photographer); ok && t.Name() == name {
			return p.Snapshot(ctx)
		}
	}
	return nil, fmt.Errorf("no camera is named %.80q (%w)", name, api.Status(http.StatusNotFound))
}

// view calls f with a place among the viewers.
func (s *snapshots) view(w http.ResponseWriter, r *http.Request, f func(*http.ResponseController)) {
	select {
	case s.viewers <- struct{}{}:
		defer func() { <-s.viewers }()
	default:
		api.Fail(w, errViewers)
		return
	}
	c := http.NewResponseController(w)
	w.Header().Set("Cache-Control", "no-store")
	f(c)
}

func (s *snapshots) one(w http.ResponseWriter, r *http.Request) {
	s.view(w, r, func(*http.ResponseController) {
		jpeg, err := s.take(r.Context(), r.PathValue("name"))
		if err != nil {
			api.Fail(w, err)
			return
		}
		w.Header().Set("Content-Type", "image/jpeg")
		w.Header().Set("Content-Length", strconv.Itoa(len(jpeg)))
		_, _ = w.Write(jpeg) // the client has gone
	})
}

// stream sends pictures until the client has gone, reads too slowly, or may no longer see them.
func (s *snapshots) stream(w http.ResponseWriter, r *http.Request) {
	s.view(w, r, func(c *http.ResponseController) {
		end, ok := web.Stream(r)
		if !ok {
			api.Fail(w, errViewers)
			return
		}
		defer end()
		name, ctx := r.PathValue("name"), r.Context()
		for first := true; first || web.Allowed(r); first = false {
			pause := time.NewTimer(frameTime)
			jpeg, err := s.take(ctx, name)
			if err != nil && first {
				pause.Stop()
				api.Fail(w, err)
				return
			}
			if err != nil || s.send(w, c, first, jpeg) != nil || r.Method == http.MethodHead {
				pause.Stop()
				return
			}
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
				return
			}
		}
	})
}

// send writes one picture.
func (s *snapshots) send(w http.ResponseWriter, c *http.ResponseController, first bool, jpeg []byte) error {
	_ = c.SetWriteDeadline(time.Now().Add(s.patience)) // there is none in a test without a connection
	if first {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		w.Header().Set("Connection", "close")
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", len(jpeg))
	for _, part := range [][]byte{head.Bytes(), jpeg, []byte("\r\n")} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return c.Flush()
}
