// Opens an address with the EventSource of Node, as a page does; prints each message, and that it is given up.
const awake = setInterval(() => {}, 1000); // a page stays, too, while its EventSource waits to connect again
const source = new EventSource(process.argv[2]);
const print = (line) => console.log(JSON.stringify(line));
source.onmessage = ({ data, lastEventId }) => print({ id: lastEventId, item: JSON.parse(data) });
source.onerror = () => {
  if (source.readyState !== EventSource.CLOSED) return;
  print({ closed: true });
  clearInterval(awake);
};
