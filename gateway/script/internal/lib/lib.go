// Package lib has the modules that scripts can import.
package lib

import (
	"maps"
	"slices"
	"sync"

	"pithings/gateway/script/internal/py"
)

// modules make each module at its first import. Scripts share them, and cannot change them.
var modules = map[string]func() map[string]py.Value{
	"base64":        sync.OnceValue(base64Module),
	"binascii":      sync.OnceValue(binasciiModule),
	"collections":   sync.OnceValue(collectionsModule),
	"common":        sync.OnceValue(commonModule),
	"common.Logger": sync.OnceValue(loggerModule),
	"copy":          sync.OnceValue(copyModule),
	"datetime":      sync.OnceValue(datetimeModule),
	"hashlib":       sync.OnceValue(hashlibModule),
	"json":          sync.OnceValue(jsonModule),
	"logging":       sync.OnceValue(loggingModule),
	"math":          sync.OnceValue(mathModule),
	"random":        sync.OnceValue(randomModule),
	"re":            sync.OnceValue(reModule),
	"struct":        sync.OnceValue(structModule),
	"time":          sync.OnceValue(timeModule),
	"traceback":     sync.OnceValue(tracebackModule),
}

// Load returns a module by its name, or nil.
func Load(name string) *py.Module {
	if items := modules[name]; items != nil {
		return &py.Module{Name: name, Items: items()}
	}
	return nil
}

// Names are those of all modules.
func Names() []string { return slices.Sorted(maps.Keys(modules)) }
