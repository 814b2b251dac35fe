import { told, type Message } from "../../src/index.ts";

export const wrong = (message: Message): unknown => told(message).data;
