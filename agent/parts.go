package agent

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"pithings/agent/config"
	"pithings/camera/store"
	"pithings/device"
	"pithings/things"
)

// open makes the things of a configuration that are not there. No part is opened.
func (s *thingService) open(c *config.Config) error {
	var all []*part
	for i := range c.Things {
		t := &c.Things[i]
		if j := slices.IndexFunc(s.parts, func(p *part) bool { return p.Name() == t.Name }); j >= 0 {
			all = append(all, s.parts[j])
			continue
		}
		p := &part{made: *t, baseURL: c.HTTP.BaseURL}
		if err := s.makeThing(c, p); err != nil {
			for _, c := range p.closers {
				c.Close()
			}
			for _, old := range s.parts {
				if !slices.Contains(all, old) {
					all = append(all, old)
				}
			}
			s.setParts(all)
			return fmt.Errorf("thing %s: %w", t.Name, err)
		}
		all = append(all, p)
	}
	s.setParts(all)
	return nil
}

func (s *thingService) setParts(all []*part) {
	s.mu.Lock()
	s.parts = all
	s.mu.Unlock()
}

// all lists the things in the order of the configuration.
func (s *thingService) all() (all []things.Thing) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.parts {
		all = append(all, p.Thing)
	}
	return all
}

// made lists the things with what they were made of.
func (s *thingService) made() []*part {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.parts
}

func (s *thingService) names() (names []string) {
	for _, t := range s.all() {
		names = append(names, t.Name())
	}
	return names
}

// quantities are what a thing measures; none if there is no such thing.
func (s *thingService) quantities(thing string) []device.Quantity {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if i := slices.IndexFunc(s.parts, func(p *part) bool { return p.Name() == thing }); i >= 0 {
		return s.parts[i].quantities()
	}
	return nil
}

// texts are all texts that a quantity of a thing can be, if they are few.
func (s *thingService) texts(thing string, q *device.Quantity) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if i := slices.IndexFunc(s.parts, func(p *part) bool { return p.Name() == thing }); i >= 0 {
		e, _ := modelOf(&s.parts[i].made).Event(q.Event)
		return e.Values[q.Key]
	}
	return nil
}

// startAll attaches the things that do not work yet to their topics, and keeps their
// parts working.
func (s *thingService) startAll() error {
	for _, p := range s.parts {
		if p.run != nil {
			continue
		}
		detach, err := p.Attach()
		if err != nil {
			return err
		}
		p.detach = detach
	}
	for _, p := range s.parts {
		if p.run == nil {
			p.run = begin(s.running, func(ctx context.Context) { supervise(ctx, p.Thing, s.health, s.log) })
		}
	}
	return nil
}

// mirrors lists the things that show something, as /screen/NAME.png.
func (s *thingService) mirrors() (names []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.parts {
		if p.mirror != nil {
			names = append(names, p.Name())
		}
	}
	return names
}

// serveScreen answers with what a screen shows, as NAME.png.
func (s *thingService) serveScreen(w http.ResponseWriter, r *http.Request) {
	name, png := strings.CutSuffix(r.PathValue("file"), ".png")
	s.mu.RLock()
	i := slices.IndexFunc(s.parts, func(p *part) bool { return p.mirror != nil && p.Name() == name })
	var mirror http.Handler
	if i >= 0 {
		mirror = s.parts[i].mirror
	}
	s.mu.RUnlock()
	if !png || mirror == nil {
		http.NotFound(w, r)
		return
	}
	mirror.ServeHTTP(w, r)
}

// makeThing makes the thing of a part.
func (s *thingService) makeThing(all *config.Config, p *part) (err error) {
	c := &p.made
	kind := things.KindOf(c.Type)
	env := things.Env{
		Board: s.board, Link: s.links.of(c.Name), Events: s.events, Interlocks: &s.interlocks, Lines: &s.lines, Log: s.log, Pulse: s.pulse,
		Self:        s.self,
		OwnPictures: ownPictures(all.HTTP.BaseURL), OwnCertificate: s.web.leaf,
		State: func() (string, error) { return s.thingState(c.Name) },
	}
	if !kind.Routine {
		own := s.links.of(c.Name)
		env.Link = s.transcript.Client(own, own.Stats)
	}
	if s.web != nil {
		env.Pictures = func() (store.Store, error) { return s.pictures(c.Name) }
	}
	p.Thing, err = c.Settings.Open(things.Options{Thing: c.Name, Topics: c.Topics, Extra: c.Extra}, env)
	if closer, ok := p.Thing.(io.Closer); ok && err == nil {
		p.closers = append(p.closers, closer)
	}
	if m, ok := p.Thing.(things.Mirrored); ok && err == nil {
		p.mirror = m.Mirror()
	}
	return err
}

// thingState returns the folder in which a thing keeps what outlives the process.
func (s *thingService) thingState(name string) (string, error) {
	if err := s.folder.own(); err != nil {
		return "", err
	}
	return s.folder.Thing(name)
}
