package certificate

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// quiet is a logger for certmagic, all of whose words are of use to who debugs alone:
// what an operator should know the keeper says itself, once.
func quiet(log *slog.Logger) *zap.Logger { return zap.New(&core{log: log}) }

// core writes what zap is given to slog.
type core struct {
	log    *slog.Logger
	fields []zapcore.Field
}

func (c *core) Enabled(zapcore.Level) bool {
	return c.log.Enabled(context.Background(), slog.LevelDebug)
}

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{c.log, append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

func (c *core) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	encoded := zapcore.NewMapObjectEncoder()
	for _, f := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		f.AddTo(encoded)
	}
	attrs := []any{"from", "certmagic", "level", e.Level.String()}
	for name, value := range encoded.Fields {
		attrs = append(attrs, name, value)
	}
	c.log.Debug(e.Message, attrs...)
	return nil
}

func (c *core) Sync() error { return nil }
