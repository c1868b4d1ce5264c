"""What kills, starves and overloads the service: real sockets, processes and databases."""
