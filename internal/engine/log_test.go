package engine_test

import (
	"log/slog"
	"os"
	"testing"
)

// logger prints only what is worse than a warning: servers log after the test.
func logger(testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}
