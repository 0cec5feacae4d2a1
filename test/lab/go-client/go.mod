module telemetry/go-client

go 1.22
