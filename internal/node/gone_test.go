package node_test

import "testing"

// TestEndsWithThePlatform: an event that left something running keeps the process
// from asking for the next one; when the platform is gone, the process ends
// although nobody owes it an answer.
func TestEndsWithThePlatform(t *testing.T) {
	for _, in := range nodes(t) {
		t.Run(in.Version.String(), func(t *testing.T) {
			p := start(t, in, unpack(t, `exports.handler = awslambda.streamifyResponse(async (event, out) => {
  setInterval(() => {}, 1000);
  out.end('said');
});`), nil)
			if out := p.invoke(t, "{}", nil); out.body != "said" {
				t.Fatalf("got %+v", out)
			}
			p.server.Listener.Close()
			p.server.CloseClientConnections()
			if code := p.code(t); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
		})
	}
}
