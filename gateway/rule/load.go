package rule

import (
	"context"
	"fmt"
	"time"

	"pithings/gateway/script"
	"pithings/quietlog"
)

// Check returns why a script cannot be loaded, without running it; name is that of its rule.
func (s *Script) Check(name string) error {
	source, err := s.Text()
	if err != nil {
		return err
	}
	compiled, err := script.Compile(name, source)
	if err != nil {
		return err
	}
	if s.Function != "" && !compiled.Binds(s.Function) {
		return noFunction(name, s.Function)
	}
	return script.Check(compiled, (&program{env: &Env{}}).modules())
}

func noFunction(name, function string) error {
	return &script.Problem{Text: fmt.Sprintf("script %s has no function %s", name, function), Fix: "write def " + function + "(…), or name its main function with function"}
}

// load makes a program of a script, and runs its body. The one from before continues if its
// script is the same.
func (e *Env) load(kind, name, topic string, qos int, s *Script, before *program) (*program, error) {
	source := ""
	if !s.None() {
		var err error
		if source, err = s.Text(); err != nil {
			return nil, err
		}
	}
	p := &program{kind: kind, name: name, function: s.Function, api: s.API, source: source, limits: e.limits(), topic: topic,
		env: e, repeats: quietlog.NewRepeats(e.Log)}
	p.tally = newTally(kind, name, p.repeats)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if !s.None() && before != nil && before.same(p) {
		p.cancel()
		return before.adopt(e, topic, qos), nil
	}
	if p.qos = p.carried(qos); s.None() {
		return p, nil
	}
	if err := p.start(); err != nil {
		p.cancel()
		return nil, err
	}
	e.Log.Info(fmt.Sprintf("Build module: %s, type: %s", p.function, p.kind), "rule", p.name)
	return p, nil
}

func (p *program) start() error {
	compiled, err := script.Compile(p.name, p.source)
	if err != nil {
		return err
	}
	p.now = &call{at: time.Now()}
	p.wizard = p.newWizard()
	options := script.Options{Limits: p.limits, Modules: p.modules(), Log: p.log, Logging: p.logging}
	if p.env.Folder != "" {
		options.Files = newFiles(p.env.Folder, p.kind, p.name)
	}
	p.script, err = script.New(p.ctx, compiled, options)
	p.now.lines.end(p.env.Log, p.name)
	if err != nil {
		return err
	}
	p.globals()
	if _, ok := script.Params(p.script.Global(p.function)); !ok {
		return noFunction(p.name, p.function)
	}
	return nil
}

// same reports whether a program has the script of another, and its limits, so that it may
// continue.
func (p *program) same(other *program) bool {
	return p.limits == other.limits && p.source == other.source && p.function == other.function && p.api == other.api
}

// adopt makes a program that was at work continue as the one of new settings.
func (p *program) adopt(e *Env, topic string, qos int) *program {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.env, p.topic, p.qos = e, topic, p.carried(qos)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.globals()
	return p
}

// globals gives the script the variables of the host.
func (p *program) globals() {
	if p.script == nil {
		return
	}
	p.script.SetGlobal("__topic__", script.Str(p.topic))
	p.script.SetGlobal("__qos__", script.Int(p.qos))
	for name, f := range p.http() {
		p.script.SetGlobal(name, f)
	}
}
