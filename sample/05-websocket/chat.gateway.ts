import { UseFilters, UseGuards } from '@nestjs/common';
import {
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  type OnGatewayConnection,
} from '@nestjs/websockets';
import { Session, SessionExceptionFilter, SessionGuard, SessionSockets } from 'nest-sessions';
import type { Server, Socket } from 'socket.io';

/** A chat for whoever has signed in. */
@WebSocketGateway()
@UseGuards(SessionGuard) // each message: is the access token still good, are the claims?
@UseFilters(SessionExceptionFilter) // if not, the client gets the event `exception` with the reason
export class ChatGateway implements OnGatewayConnection {
  @WebSocketServer() private readonly server!: Server;

  constructor(private readonly sockets: SessionSockets) {}

  /** The handshake: cookie or token, origin, session. What may not connect is told why, and closed. */
  async handleConnection(client: Socket): Promise<void> {
    const session = await this.sockets.admit(client);
    if (session === undefined) return;
    await client.join('chat');
    client.emit('welcome', session.getUserId());
  }

  @SubscribeMessage('say')
  say(@MessageBody() text: unknown, @Session('userId') userId: string): void {
    this.server.to('chat').emit('said', { userId, text: String(text).slice(0, 500) });
  }
}
