package lib

import (
	"sync"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// logAt makes a function that logs at a level: its text and arguments are those of logging.
func logAt(level string, self, trace bool) *py.Builtin {
	return &py.Builtin{Name: level, Method: self, Raw: func(m *py.Machine, a py.Args) py.Value {
		to, pos := receiver(m, self, a.Pos)
		if len(pos) == 0 {
			py.Raise(m, py.TypeError, "%s() missing 1 required positional argument: 'msg'", level)
		}
		write(m, to, level, pos, trace || wantsTrace(m, a.Kw))
		return py.None
	}}
}

// receiver is where a line goes, and the arguments without self: the host bounds the lines of
// common.Logger by its log level, and shows all of logging's.
func receiver(m *py.Machine, self bool, pos []py.Value) (to func(level, text string), rest []py.Value) {
	if !self || len(pos) == 0 {
		return m.Logging, pos
	}
	if i, ok := pos[0].(*py.Instance); ok && i.Native == common {
		return m.Log, pos[1:]
	}
	return m.Logging, pos[1:]
}

func wantsTrace(m *py.Machine, kw []py.Kw) bool {
	for _, k := range kw {
		if k.Name == "exc_info" {
			return py.Truth(m, k.Value)
		}
	}
	return false
}

// write logs a line. Values that do not fit the text are an error in the log and none of the
// script, as in logging.Handler.handleError.
func write(m *py.Machine, to func(level, text string), level string, a []py.Value, trace bool) {
	var s string
	wrong := py.Try(m, func() {
		s = ops.ToStr(m, a[0])
		if len(a) > 1 {
			var arg py.Value = py.NewTuple(a[1:]...)
			if d, ok := a[1].(*py.Dict); ok && len(a) == 2 {
				arg = d
			}
			s = ops.Percent(m, s, arg)
		}
	})
	switch {
	case wrong != nil && !wrong.Exc.Class.Is(py.Exception):
		panic(wrong)
	case wrong != nil:
		to("error", "Logging error: "+ops.Describe(m, wrong)+"; message "+ops.Repr(m, a[0])+", arguments "+ops.Repr(m, py.NewTuple(a[1:]...)))
		return
	}
	if trace && m.Handling != nil {
		s += "\n" + ops.FormatException(m, m.Handling)
	}
	to(level, s)
}

var levels = []struct {
	name, level string
	number      int64
	trace       bool
}{
	{"debug", "debug", 10, false}, {"info", "info", 20, false}, {"warning", "warning", 30, false}, {"warn", "warning", 30, false},
	{"error", "error", 40, false}, {"exception", "error", 40, true}, {"critical", "critical", 50, false}, {"fatal", "critical", 50, false},
}

// levelOf is the name of a level's number.
func levelOf(n int) string {
	switch {
	case n >= 50:
		return "critical"
	case n >= 40:
		return "error"
	case n >= 30:
		return "warning"
	case n >= 20:
		return "info"
	}
	return "debug"
}

var loggerType = py.NewType("Logger", py.ObjectType)

// common is what a Logger of common.Logger has as its own, in place of logging's.
const common = "common"

// loggers are what getLogger and common.Logger return: they write to the script's log.
var loggers = sync.OnceValues(func() (logging, ofCommon py.Value) {
	methods(loggerType, []def{
		{"setLevel", "self level", nothing}, {"addHandler", "self handler", nothing},
		{"isEnabledFor", "self level", func(*py.Machine, []py.Value) py.Value { return py.Bool(true) }},
	})
	for _, l := range levels {
		loggerType.Attrs[l.name] = logAt(l.level, true, l.trace)
	}
	loggerType.Attrs["log"] = logNumber(true)
	return &py.Instance{Class: loggerType, Native: "logging"}, &py.Instance{Class: loggerType, Native: common}
})

func logNumber(self bool) *py.Builtin {
	return &py.Builtin{Name: "log", Method: self, Raw: func(m *py.Machine, a py.Args) py.Value {
		to, pos := receiver(m, self, a.Pos)
		if len(pos) < 2 {
			py.Raise(m, py.TypeError, "log() wants a level and a text")
		}
		write(m, to, levelOf(builtin.Integer(m, pos[0])), pos[1:], wantsTrace(m, a.Kw))
		return py.None
	}}
}

func nothing(*py.Machine, []py.Value) py.Value { return py.None }

func loggingModule() map[string]py.Value {
	items := map[string]py.Value{
		"log": logNumber(false),
		// What is set up here is for the host to decide.
		"basicConfig": &py.Builtin{Name: "basicConfig", Raw: func(*py.Machine, py.Args) py.Value { return py.None }},
	}
	for _, l := range levels {
		items[l.name] = logAt(l.level, false, l.trace)
	}
	for name, n := range map[string]py.Int{"DEBUG": 10, "INFO": 20, "WARNING": 30, "WARN": 30, "ERROR": 40, "CRITICAL": 50, "FATAL": 50, "NOTSET": 0} {
		items[name] = n
	}
	one, _ := loggers()
	items["getLogger"] = builtin.Function("getLogger", "name=", func(*py.Machine, []py.Value) py.Value { return one })
	return items
}

func loggerModule() map[string]py.Value {
	_, logger := loggers()
	return map[string]py.Value{"logger": logger}
}

func commonModule() map[string]py.Value {
	return map[string]py.Value{"Logger": &py.Module{Name: "common.Logger", Items: loggerModule()}}
}

func tracebackModule() map[string]py.Value {
	format := func(m *py.Machine, _ []py.Value) py.Value {
		if m.Handling == nil {
			return py.Str("NoneType: None\n")
		}
		return py.Str(ops.FormatException(m, m.Handling))
	}
	return functions([]def{
		{"format_exc", "limit= chain=", format},
		{"print_exc", "limit= file= chain=", func(m *py.Machine, a []py.Value) py.Value {
			m.Log("error", string(format(m, a).(py.Str)))
			return py.None
		}},
	}, nil)
}
