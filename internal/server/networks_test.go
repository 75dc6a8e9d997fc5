package server

import (
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// TestAVPCWantsASandbox: a function in a VPC is refused where nothing would keep it
// there, except at the level for development.
func TestAVPCWantsASandbox(t *testing.T) {
	at, secure := api.Endpoints{AWS: "http://127.0.0.1:4566"}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 44300}
	uses := []network.Use{{Function: "f", Subnets: []string{"nowhere"}, Groups: []string{"none"}}}
	for level, want := range map[string]string{
		sandbox.Confine: "isolation level process", sandbox.Userns: "does not exist", sandbox.Full: "does not exist",
	} {
		n, err := newNetworks(Config{Log: slog.New(slog.DiscardHandler)}, level, at, secure)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Admit("s", network.Model{}, uses); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", level, err, want)
		}
		if err := n.Admit("s", network.Model{}, nil); err != nil {
			t.Errorf("%s, without a VPC: %v", level, err)
		}
	}
	for engine, level := range map[string]string{"kernel": sandbox.Userns, "other": sandbox.Full} {
		if _, err := newNetworks(Config{Network: engine}, level, at, secure); fault.KindOf(err) != fault.Invalid {
			t.Errorf("--network %s at level %s: got %v", engine, level, err)
		}
	}
}
