package logs

// Fields of the lines that the platform writes around an invocation, as Logs
// Insights names them. Times are in milliseconds, sizes in bytes.
const (
	FieldType       = "@type" // START, END or REPORT
	FieldDuration   = "@duration"
	FieldBilled     = "@billedDuration"
	FieldMemorySize = "@memorySize"
	FieldMemoryUsed = "@maxMemoryUsed"
	FieldInit       = "@initDuration"
)
